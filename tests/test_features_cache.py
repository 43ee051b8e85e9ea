"""The cache returns what was written, and detects everything else."""

import hashlib
import json
import multiprocessing
import os
import resource
import shutil
import tracemalloc
from contextlib import contextmanager
from dataclasses import replace
from typing import Annotated

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mafnet.common.config import LATER
from mafnet.common.errors import MafnetError
from mafnet.features.cache import DamagedEntryError, Entry, FeatureCache, packed, unpacked
from mafnet.features.config import AudioSettings, FeatureSettings, VisualSettings
from mafnet.features.fingerprint import fingerprint_of, parse_features
from mafnet.video.config import VideoSettings

VIDEO = "ab" * 32
FINGERPRINT = fingerprint_of(
    FeatureSettings(backbone="vggish", weights="random"), VideoSettings(), "0" * 64
)
OTHER = replace(FINGERPRINT, precision="bfloat16")


def made_entry(clips=2, shape=(3, 2, 8), seed=0):
    maps = np.random.default_rng(seed).normal(-0.5, 1, (clips, *shape))
    message = "[h264] error in ü; \ud800 and\tmore"
    return Entry(np.maximum(maps, 0).astype(np.float16), ("short_audio", "b"), message, 7)


def same(found, expected):
    return (
        found.clips.tobytes() == expected.clips.tobytes()
        and (found.clips.shape, found.clips.dtype) == (expected.clips.shape, expected.clips.dtype)
        and (found.warnings, found.error, found.error_lines)
        == (expected.warnings, expected.error, expected.error_lines)
    )


@pytest.fixture
def cache(tmp_path):
    return FeatureCache(tmp_path / "cache", FINGERPRINT)


@contextmanager
def file_size_limit(size):
    """Limit every file of this process to `size` bytes, as if the disk were full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("clips", [0, 1, 10])
def test_what_is_read_is_what_was_written(cache, clips):
    entry = made_entry(clips)
    cache.write(VIDEO, entry)
    assert same(cache.read(VIDEO), entry)
    header = cache.header(VIDEO)
    assert (header.clips, header.warnings, header.error_lines) == (clips, entry.warnings, 7)


def test_same_entry_has_same_bytes_and_no_other_files(cache, tmp_path):
    contents = []
    for _ in range(2):
        cache.write(VIDEO, made_entry())
        contents.append(cache.path(VIDEO).read_bytes())
        cache.discard(VIDEO)
    assert contents[0] == contents[1]
    folder = cache.path(VIDEO).parents[1]
    assert json.loads((folder / "fingerprint.json").read_text()) == FINGERPRINT.as_dict()
    files = [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]
    assert files == [folder / "fingerprint.json"]


@given(arrays(np.uint16, st.tuples(*[st.integers(1, 7)] * 3)))
def test_packing_keeps_every_bit(bits):
    clip = bits.view(np.float16)  # zeros of both signs, subnormals, infinities, every NaN
    assert unpacked(packed(clip), clip.shape).tobytes() == clip.tobytes()


def test_maps_after_relu_are_compressed():
    # Two thirds are zeros: 1 bit of mask per value, 16 bits for one value in three: 0.396 of 16.
    clip = np.zeros(48_000, np.float16)
    clip[::3] = 1
    assert len(packed(clip)) == 48_000 // 8 + 2 * 16_000


def test_every_flipped_bit_is_detected(cache):
    cache.write(VIDEO, made_entry())
    path = cache.path(VIDEO)
    good = path.read_bytes()
    for place in range(len(good)):
        bad = bytearray(good)
        bad[place] ^= 1 << place % 8
        path.write_bytes(bad)
        with pytest.raises(DamagedEntryError):
            cache.read(VIDEO)


def test_every_truncation_is_detected(cache):
    cache.write(VIDEO, made_entry())
    path = cache.path(VIDEO)
    good = path.read_bytes()
    for size in range(len(good)):
        path.write_bytes(good[:size])
        with pytest.raises(DamagedEntryError):
            cache.read(VIDEO)


def test_a_damaged_header_is_refused(cache):
    cache.write(VIDEO, made_entry())
    path = cache.path(VIDEO)
    path.write_bytes(path.read_bytes().replace(b'"error_lines": 7', b'"error_lines": 8'))
    assert cache.header(VIDEO) is None


@settings(max_examples=300)
@given(st.binary(max_size=300), st.booleans())
def test_any_content_is_only_refused(tmp_path_factory, content, line):
    cache = FeatureCache(tmp_path_factory.getbasetemp() / "fuzz", FINGERPRINT)
    path = cache.path(VIDEO)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content + b"\n" * line)
    assert cache.header(VIDEO) is None
    with pytest.raises(DamagedEntryError):
        cache.read(VIDEO)


CRAFTED = {
    "size": {"blocks": [(10**15, "00" * 16)]},
    "sizes": {"blocks": [(10, "00" * 16)] * 1000},
    "negative": {"blocks": [(-1, "00" * 16)]},
    "shape": {"shape": (10**6, 10**6)},
    "negative shape": {"shape": (-1, 3)},
    "no clips": {"shape": (10**12, 10**12), "blocks": []},
    "types": {"blocks": 7},
    "kinds": {"warnings": 7},
    "texts": {"shape": ("x",)},
    "pairs": {"blocks": [[1, 2, 3]]},
}


@pytest.mark.parametrize("name", CRAFTED)
def test_crafted_header_allocates_no_more_than_the_file_has(cache, name):
    """Its checksum is right, because anyone can compute it."""
    cache.write(VIDEO, made_entry())
    path = cache.path(VIDEO)
    line, _, clips = path.read_bytes().partition(b"\n")
    header = json.loads(line.partition(b" ")[2]) | CRAFTED[name]
    write_header(path, json.dumps(header).encode(), clips)
    tracemalloc.start()
    with pytest.raises(DamagedEntryError):
        cache.read(VIDEO)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1e6


@pytest.mark.parametrize("text", [b"[]", b"{}", b"7", b"[" * 50_000, b"\xff", b'{"video": 1}'])
def test_header_of_another_form_is_refused(cache, text):
    cache.write(VIDEO, made_entry())
    write_header(cache.path(VIDEO), text, b"")
    assert cache.header(VIDEO) is None
    with pytest.raises(DamagedEntryError, match="its header is damaged"):
        cache.read(VIDEO)


def write_header(path, text, clips):
    """An entry with this header and its right checksum."""
    checksum = hashlib.blake2b(text, digest_size=16).hexdigest().encode()
    path.write_bytes(checksum + b" " + text + b"\n" + clips)


@pytest.mark.parametrize("owner", ["video", "fingerprint"])
def test_entry_of_another_video_or_cache_is_detected(cache, tmp_path, owner):
    source, key = (cache, "cd" * 32) if owner == "video" else (
        FeatureCache(tmp_path / "cache", OTHER), VIDEO)  # fmt: skip
    source.write(key, made_entry())
    cache.path(VIDEO).parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(source.path(key), cache.path(VIDEO))
    assert cache.header(VIDEO) is None
    with pytest.raises(DamagedEntryError, match="another video or fingerprint"):
        cache.read(VIDEO)


def test_clips_of_two_entries_cannot_be_exchanged(cache):
    cache.write(VIDEO, made_entry(seed=0))
    first = cache.path(VIDEO).read_bytes()
    cache.write(VIDEO, made_entry(seed=1))
    head, _, _ = first.partition(b"\n")
    _, _, clips = cache.path(VIDEO).read_bytes().partition(b"\n")
    cache.path(VIDEO).write_bytes(head + b"\n" + clips)
    with pytest.raises(DamagedEntryError, match=r"clip 0 is damaged|larger than"):
        cache.read(VIDEO)


def test_missing_entry_and_folder_instead_of_an_entry(cache):
    assert cache.header(VIDEO) is None
    with pytest.raises(DamagedEntryError, match="No such file"):
        cache.read(VIDEO)
    cache.path(VIDEO).mkdir(parents=True)
    assert cache.header(VIDEO) is None
    with pytest.raises(DamagedEntryError, match="Is a directory"):
        cache.read(VIDEO)
    with pytest.raises(MafnetError, match="cannot be removed"):
        cache.discard(VIDEO)


def test_each_fingerprint_has_its_own_folder(cache, tmp_path):
    other = FeatureCache(tmp_path / "cache", OTHER)
    cache.write(VIDEO, made_entry(seed=0))
    other.write(VIDEO, made_entry(seed=1))
    assert same(cache.read(VIDEO), made_entry(seed=0))
    assert same(other.read(VIDEO), made_entry(seed=1))


class LaterKey(FeatureSettings):
    """The settings of a backbone with a key that was added after version 0.1."""

    crops: Annotated[int, LATER] = 1


def test_a_later_key_of_a_backbone_is_part_of_the_fingerprint_unless_it_has_its_default():
    """Otherwise the cache would return features of another value of the key."""
    for crops in (1, 5):
        found = fingerprint_of(
            LaterKey(backbone="vggish", weights="random", crops=crops), VideoSettings(), "0" * 64
        )
        assert (found == FINGERPRINT) == (crops == 1)


def test_settings_of_a_backbone_are_those_of_its_modality():
    kinds = {"densenet201": VisualSettings, "vggish": AudioSettings}
    for backbone, kind in kinds.items():
        found = parse_features({"backbone": backbone, "weights": "random"}, "--settings")
        assert type(found) is kind
    with pytest.raises(MafnetError, match="resnet"):
        parse_features({"backbone": "resnet"}, "--settings")


DECISIVE = set(FINGERPRINT.as_dict()) - {"grid", "weights"}


def test_name_of_the_weights_is_not_in_the_fingerprint():
    assert replace(FINGERPRINT, weights="another name").digest == FINGERPRINT.digest


@pytest.mark.parametrize("field", sorted(DECISIVE))
def test_everything_that_changes_values_is_in_the_fingerprint(field):
    value = getattr(FINGERPRINT, field)
    other = value + 1 if isinstance(value, int) else value + "x"
    assert replace(FINGERPRINT, **{field: other}).digest != FINGERPRINT.digest


@pytest.mark.parametrize(
    ("setting", "visual", "audio"),
    [
        ({"clips": 3}, True, True),
        ({"frames_per_clip": 8}, True, False),
        ({"frame_size": 64}, True, False),
        ({"interpolation": "area"}, True, False),
        ({"hwaccel": "cuda"}, True, False),
        ({"timeout_seconds": 9.0}, False, False),
        ({"silent": "drop"}, False, False),
        ({"max_failed_fraction": 0.5}, False, False),
    ],
)
def test_settings_of_the_video_stage_that_features_depend_on(setting, visual, audio):
    for backbone, depends in (("densenet201", visual), ("vggish", audio)):
        features = FeatureSettings(backbone=backbone, weights="random")
        digests = {
            fingerprint_of(features, video, "0" * 64).digest
            for video in (VideoSettings(), VideoSettings(**setting))
        }
        assert len(digests) == 1 + depends


@pytest.mark.parametrize("room", [0, 100, 1000])
@pytest.mark.parametrize("fresh", [True, False])
def test_full_disk_is_one_line_and_keeps_existing_files(cache, tmp_path, room, fresh):
    if not fresh:
        cache.write(VIDEO, made_entry())
    large = made_entry(shape=(9, 9, 64))
    line = r"^[^\n]*cannot be written \(File too large\); free some [^\n]*$"
    with file_size_limit(room), pytest.raises(MafnetError, match=line):
        cache.write("cd" * 32, large)
    assert fresh or same(cache.read(VIDEO), made_entry())
    assert cache.header("cd" * 32) is None
    assert list((tmp_path / "cache" / "writing").iterdir()) == []


def test_other_users_may_read_as_the_umask_permits(cache):
    before = os.umask(0o022)
    try:
        cache.write(VIDEO, made_entry())
    finally:
        os.umask(before)
    assert cache.path(VIDEO).stat().st_mode & 0o777 == 0o644


def test_full_disk_keeps_the_entry_that_should_be_replaced(cache):
    cache.write(VIDEO, made_entry())
    with file_size_limit(100), pytest.raises(MafnetError):
        cache.write(VIDEO, made_entry(seed=1))
    assert same(cache.read(VIDEO), made_entry())


def test_cache_that_cannot_be_a_folder_is_one_line(tmp_path):
    (tmp_path / "cache").write_text("a file")
    with pytest.raises(MafnetError, match=r"cannot be written \(Not a directory\)"):
        FeatureCache(tmp_path / "cache", FINGERPRINT).write(VIDEO, made_entry())


def write_all(root, barrier, seed):
    """Write every entry several times, in an order of its own, as an extraction of a shard does."""
    cache = FeatureCache(root, FINGERPRINT)
    order = np.random.default_rng(seed).permutation(ENTRIES)
    barrier.wait()
    for number in [*order, *order, *order]:
        cache.write(f"{number:064x}", made_entry(seed=int(number)))
        cache.sweep()


ENTRIES = 30
WRITERS = 4


def test_several_processes_write_the_same_entries_and_no_reader_sees_half_of_one(tmp_path):
    """Two working directories may share a cache. Readers take no lock, which NFS might not have."""
    fork = multiprocessing.get_context("fork")
    barrier = fork.Barrier(WRITERS + 1)
    writers = [
        fork.Process(target=write_all, args=(tmp_path, barrier, seed)) for seed in range(WRITERS)
    ]
    for writer in writers:
        writer.start()
    cache = FeatureCache(tmp_path, FINGERPRINT)
    barrier.wait()
    while any(writer.is_alive() for writer in writers):
        for number in range(ENTRIES):
            if cache.path(f"{number:064x}").exists():
                assert same(cache.read(f"{number:064x}"), made_entry(seed=number))
    assert [writer.exitcode for writer in writers] == [0] * WRITERS
    for number in range(ENTRIES):
        assert same(cache.read(f"{number:064x}"), made_entry(seed=number))
    assert list((tmp_path / "writing").iterdir()) == []
