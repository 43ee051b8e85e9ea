"""Feature files have the content of the cache, completely or not at all."""

import json
import resource
import shutil
import subprocess
import sys
import time
from contextlib import contextmanager

import h5py
import numpy as np
import pytest
from support.made_features import extractor, made_data, made_samples, write_features
from support.seals import flipped, without_checksums

from mafnet.common.errors import MafnetError
from mafnet.dataset.manifest import Sample, read_classes, write_manifest
from mafnet.features.cache import Entry
from mafnet.features.feature_file import open_features
from mafnet.features.pack import pack
from mafnet.model.data import Data
from mafnet.video.media import Media

CLIPS = 3
LENGTHS = (3, 1, 0, 2)
"""Clips of each made-up video; none for a video without audio."""


@contextmanager
def file_size_limit(size):
    """Limit every file of this process to `size` bytes, as if the disk were full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return tmp_path_factory.mktemp("made")


@pytest.fixture(scope="module", params=["visual", "audio"])
def made(request, root):
    """An extractor with everything cached, its media and the maps of each."""
    worker = extractor(root, request.param, CLIPS)
    media = [Media(f"{number}.mp4", sha256=f"{number:064x}") for number in range(len(LENGTHS))]
    generator = np.random.default_rng(0)
    maps = [
        generator.uniform(0, 9, (clips, *worker.spec.feature_shape)).astype(np.float16)
        for clips in LENGTHS
    ]
    for row, values in zip(media, maps, strict=True):
        worker.cache.write(row.sha256, Entry(values))
    return worker, media, maps


def test_rows_are_the_entries_and_padding_is_zero(made, tmp_path):
    worker, media, maps = made
    pack(media, worker, tmp_path / "f.h5", maps=True)
    opened = open_features(tmp_path / "f.h5")
    assert opened.rows == {f"{number}.mp4": number for number in range(4)}
    assert opened.fingerprint == worker.cache.fingerprint.as_dict()
    for row, (values, clips) in enumerate(zip(maps, LENGTHS, strict=True)):
        assert opened.layers["valid"][row].tolist() == [True] * clips + [False] * (CLIPS - clips)
        assert opened.layers["maps"][row, :clips].tobytes() == values.tobytes()
        assert not opened.layers["maps"][row, clips:].any()


def test_pooled_vectors_are_means_over_positions_and_only_visual(made, tmp_path):
    worker, media, maps = made
    pack(media, worker, tmp_path / "f.h5", maps=True)
    layers = open_features(tmp_path / "f.h5").layers
    assert ("pooled" in layers) == (worker.name == "visual")
    if "pooled" in layers:
        assert layers["pooled"].shape == (4, CLIPS, 1920)
        for row, values in enumerate(maps):
            exact = values.astype(np.float64).mean(axis=(1, 2))
            # Rounding to float16 changes the mean by at most 2^-11 of its value.
            np.testing.assert_allclose(layers["pooled"][row, : len(values)], exact, rtol=2**-11)
            assert not layers["pooled"][row, len(values) :].any()


def test_flipped_bits_are_found_or_change_nothing(made, tmp_path):
    """Before HDF5 reads the file, because it crashes on some flipped bits."""
    worker, media, _ = made
    path = tmp_path / "f.h5"
    pack(media, worker, path, maps=False)
    content = path.read_bytes()
    rows = np.arange(len(media))

    def everything():
        """The whole content, or the message."""
        try:
            opened = open_features(path)
            read = {name: opened.read(name, rows).tobytes() for name in opened.layers}
        except MafnetError as error:
            return str(error)
        return opened.fingerprint, opened.rows, read

    before, found = everything(), 0
    assert isinstance(before, tuple)
    for position in [*range(0, 2000, 3), *range(2000, len(content), 499)]:
        path.write_bytes(flipped(content, position))
        after = everything()
        if after != before:
            assert str(path) in after
            assert "delete" in after
            found += 1
    assert found > 600


def test_older_files_without_checksums_are_read(made, tmp_path):
    worker, media, maps = made
    pack(media, worker, tmp_path / "f.h5", maps=True)
    older = open_features(without_checksums(tmp_path / "f.h5", tmp_path / "older.h5"))
    assert not older.checksums
    assert older.read("maps", np.array([1]))[0, :1].tobytes() == maps[1].tobytes()


def test_layers_stay_on_disk_until_they_are_read(made, tmp_path):
    worker, media, _ = made
    pack(media, worker, tmp_path / "f.h5", maps=True)
    layers = open_features(tmp_path / "f.h5").layers
    assert all(isinstance(layer, np.memmap) for layer in layers.values())


def test_same_entries_give_the_same_bytes(made, tmp_path):
    worker, media, _ = made
    pack(media, worker, tmp_path / "a.h5", maps=True)
    time.sleep(1.1)  # HDF5 records seconds; the file must not contain the time
    pack(media, worker, tmp_path / "b.h5", maps=True)
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()


def test_full_disk_is_one_line_and_keeps_the_existing_file(made, tmp_path):
    """At every size: HDF5 alone would crash the process at some of these sizes."""
    worker, media, _ = made
    path = tmp_path / "f.h5"
    pack(media[:1], worker, path, maps=False)
    before = path.read_bytes()
    needed = len(before) + 3 * CLIPS * 1920 * 2 if worker.name == "visual" else 4000
    for size in (0, 1, 100, 2000, 2048, 2100, *range(2200, needed, 4001)):
        line = r"^[^\n]*cannot be written \(File too large\); free some [^\n]*$"
        with file_size_limit(size), pytest.raises(MafnetError, match=line):
            pack(media, worker, path, maps=worker.name == "audio")
        assert path.read_bytes() == before
    assert [found.name for found in tmp_path.iterdir()] == ["f.h5"]


def test_no_usable_video_is_one_line(made, tmp_path):
    with pytest.raises(MafnetError, match="no usable video"):
        pack([], made[0], tmp_path / "f.h5", maps=True)


@pytest.mark.parametrize("content", [b"", b"words", b"truncated", b"other"])
def test_file_that_is_not_a_feature_file_is_one_line(content, root, tmp_path):
    path = tmp_path / "f.h5"
    good = write_features(root, made_samples({"train": 1}), "audio").read_bytes()
    path.write_bytes(good[:-1000] if content == b"truncated" else content)
    if content == b"other":
        h5py.File(path, "w").close()
    with pytest.raises(MafnetError, match="is not a feature file") as caught:
        open_features(path)
    assert str(path) in str(caught.value)


def test_training_loads_no_decoder():
    """Reading feature files imports neither PyAV nor the modules that decode, extract or cache."""
    program = "import sys, mafnet.model.data; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    modules = set(loaded.stdout.split())
    assert "mafnet.features.feature_file" in modules, loaded.stderr
    unwanted = {"av", "ffmpeg", "mafnet.video.decode", "mafnet.video.pipe", "mafnet.video.clips"}
    unwanted |= {"mafnet.features.pack", "mafnet.features.cache", "mafnet.features.extract"}
    assert not modules & unwanted


def test_samples_have_the_rows_of_their_videos(tmp_path):
    """A video may have several samples; a video that cannot be used drops its samples."""
    samples = made_samples({"train": 2, "test": 1})
    data = made_data(tmp_path, samples, ("visual", "audio"))
    more = [*samples, Sample("second", "train0-0.mp4", "class1", "train")]
    more += [Sample("lost", "lost.mp4", "class1", "train")]
    write_manifest(more[::-1], tmp_path / "more.csv")
    files = [file.path for file in data.files.values()]
    found = Data(tmp_path / "more.csv", files, None).subset("train")
    assert [sample.sample for sample in found.samples] == [
        sample.sample for sample in more[::-1] if sample.subset == "train" and sample != more[-1]
    ]
    videos = list(data.files["audio"].rows)
    assert [videos[row] for row in found.rows] == [sample.video for sample in found.samples]
    assert [f"class{label}" for label in found.labels] == [s.label for s in found.samples]


def test_classes_follow_the_list_if_there_is_one(tmp_path):
    data = made_data(tmp_path, made_samples({"train": 1}), ("audio",))
    (tmp_path / "classes.txt").write_text("class2\nunseen\nclass0\nclass1\n")
    names = read_classes(tmp_path / "classes.txt")
    listed = Data(data.manifest, [data.files["audio"].path], names)
    assert data.classes == ["class0", "class1", "class2"]
    assert listed.classes == ["class2", "unseen", "class0", "class1"]
    assert listed.subset("train").labels.tolist() == [2, 3, 0]


def test_feature_files_that_do_not_belong_together_are_named(tmp_path):
    data = made_data(tmp_path, made_samples({"train": 2}), ("visual", "audio"))
    files = {name: file.path for name, file in data.files.items()}
    for name, samples, clips in (("videos", made_samples({"train": 1}), 2),
                                 ("grid", made_samples({"train": 2}), 3)):  # fmt: skip
        other = write_features(tmp_path / name, samples, "audio", clips)
        with pytest.raises(MafnetError, match="have different videos or clips") as caught:
            Data(data.manifest, [files["visual"], other], None)
        assert str(other) in str(caught.value)


def test_digest_follows_rows_and_files(tmp_path):
    data = made_data(tmp_path, made_samples({"train": 2}), ("audio",))
    path = data.files["audio"].path
    assert Data(data.manifest, [path], None).digest == data.digest
    copy = shutil.copy(path, tmp_path / "copy.h5")
    assert Data(data.manifest, [copy], None).digest != data.digest
    write_manifest(made_samples({"train": 2})[:-1], data.manifest)
    assert Data(data.manifest, [path], None).digest != data.digest


def test_fingerprint_is_readable_by_any_hdf5_tool(tmp_path):
    path = write_features(tmp_path, made_samples({"train": 1}), "audio")
    with h5py.File(path) as file:
        assert json.loads(file.attrs["fingerprint"])["backbone"] == "vggish"
        assert sorted(file) == ["checksums", "maps", "valid", "videos"]
        assert file["maps"].compression is None
        assert file["maps"].chunks is None
