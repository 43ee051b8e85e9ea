"""`mafnet features` and `mafnet.extract`: the features of any videos in a file."""

import json
import shutil

import h5py
import numpy as np
import pytest
from click.testing import CliRunner

import mafnet
from mafnet.cli import main
from mafnet.common.errors import MafnetError
from mafnet.features.feature_file import open_features


@pytest.fixture
def project(finished_run, tmp_path):
    """The videos, the weights and the cache of the finished run, in a folder of its own."""
    shutil.copytree(finished_run.folder / "videos", tmp_path / "videos")
    shutil.copytree(finished_run.folder / "cache", tmp_path / "cache")
    shutil.copytree(finished_run.folder / "results/tiny/weights", tmp_path / "weights")
    return tmp_path


def entries(project):
    return sorted((project / "cache").rglob("*.clips"))


def features(project, output, *more):
    """The result of `mafnet features` on all videos, with the weights of the tiny run."""
    words = ["--quiet", "features", project / "videos", "--output", output, "--clips", 1, *more,
             "--visual", f"densenet201:{project}/weights/visual.safetensors",
             "--audio", f"vggish:{project}/weights/audio.safetensors",
             "--cache", project / "cache", "--threads", 1, "--device", "cpu"]  # fmt: skip
    return CliRunner().invoke(main, list(map(str, words)))


@pytest.mark.parametrize("suffix", [".npz", ".h5"])
def test_the_file_has_the_features_of_the_workflow(finished_run, project, suffix):
    """From the cache of the workflow: the fingerprints agree, so nothing is computed."""
    before = entries(project)
    (project / "videos/bad.mp4").write_bytes(b"no video")
    output = project / f"out{suffix}"
    result = features(project, output)
    assert result.exit_code == 1, result.output
    assert "1 of 9 videos" in result.stderr
    assert entries(project) == before
    if suffix == ".npz":
        with np.load(output) as file:
            found = dict(file)
        names, failed, prints = found["video"], found["failed"], str(found["fingerprints"])
    else:
        with h5py.File(output) as file:
            found = {name: file[name][()] for name in file}
            names, failed = file["video"].asstr()[()], file["failed"].asstr()[()]
            prints = file.attrs["fingerprints"]
    packed = open_features(finished_run.folder / "results/tiny/features/visual.h5")
    rows = [packed.rows[name.rpartition("/")[2]] for name in names]
    assert len(rows) == 8
    np.testing.assert_array_equal(found["visual"], packed.layers["pooled"][rows])
    assert found["audio"].shape == (8, 1, 512)
    assert found["audio_valid"].all()
    assert found["time"].tolist() == [0]
    assert "unreadable" in failed[0]
    assert json.loads(prints)["visual"]["weights_sha256"] == packed.fingerprint["weights_sha256"]


def test_parquet_has_a_row_for_each_second(project):
    """Maps come back in their shape; what failed is in the metadata."""
    pq = pytest.importorskip("pyarrow.parquet")
    (project / "videos/bad.mp4").write_bytes(b"no video")
    assert features(project, project / "out.parquet", "--maps").exit_code == 1
    assert features(project, project / "out.npz", "--maps").exit_code == 1
    table = pq.read_table(project / "out.parquet")
    about = {key.decode(): json.loads(value) for key, value in table.schema.metadata.items()}
    frame = table.to_pandas()
    assert list(frame) == ["video", "time", "visual", "visual_valid", "audio", "audio_valid"]
    with np.load(project / "out.npz") as expected:
        assert frame["video"].tolist() == expected["video"].tolist()
        for name in ("visual", "audio"):
            values = np.stack(frame[name]).reshape(8, 1, *about["shapes"][name])
            np.testing.assert_array_equal(values, expected[name])
    assert about["failed"][0]["status"] == "unreadable"
    assert set(about["fingerprints"]) == {"visual", "audio"}


def test_maps_of_one_modality(project):
    audio = f"vggish:{project}/weights/audio.safetensors"
    found = mafnet.extract(
        [project / "videos/0.mp4"], visual=None, audio=audio, clips=2, maps=True,
        cache=project / "new", device="cpu", threads=1,
    )  # fmt: skip
    assert list(found.features) == ["audio"]
    assert found.features["audio"].shape == (1, 2, 12, 8, 512)
    assert found.valid["audio"].tolist() == [[True, False]]
    assert found.times.tolist() == [0, 1]


def test_wrong_settings_are_refused_before_the_work(project):
    assert "must end with .npz, .h5 or .parquet" in features(project, project / "out.csv").stderr
    for visual, message in (
        ("vggish:x.safetensors", "reads audio, not visual"),
        ("densenet201:none.safetensors", "is no file"),
        ("densenet201:unknown", "has no weights 'unknown'"),
    ):
        with pytest.raises(MafnetError, match=message):
            mafnet.extract([project / "videos/0.mp4"], visual=visual, audio=None, device="cpu")
