"""Paths: links out of the folder of videos, hidden files, suffixes, `~` and variables."""

import os

import pytest
from support.made_videos import counting_video
from support.miniature_runs import mafnet, write_config

from mafnet.common.config import expanded
from mafnet.common.errors import MafnetError
from mafnet.common.ffmpeg import SUFFIXES
from mafnet.dataset.collect import archives_of
from mafnet.dataset.locate import Folder, list_videos, located
from mafnet.dataset.manifest import Sample
from mafnet.plan.stages import Plan
from mafnet.video.media import read_media

SUBSETS = ("train", "train", "val", "test")


@pytest.fixture
def snapshot(tmp_path):
    """A Hugging Face cache: links in snapshots/ to files with names without suffix in blobs/."""
    root = tmp_path / "hub/snapshots/1a2b"
    root.mkdir(parents=True)
    (tmp_path / "hub/blobs").mkdir()
    rows = ["sample,video,label,subset"]
    for number, subset in enumerate(SUBSETS):
        counting_video(tmp_path / "made.mp4", 1)
        (tmp_path / "made.mp4").rename(tmp_path / f"hub/blobs/{number}")
        (root / f"{number}.mp4").symlink_to(f"../../blobs/{number}")
        rows.append(f"{number},{number}.mp4,{'ab'[number % 2]},{subset}")
    (tmp_path / "m.csv").write_text("\n".join([*rows, ""]))
    return root


def settings(folder, root, **video):
    entry = {"root": str(root), "splits": {"main": "m.csv"}, "allow_untrained_classes": True}
    return write_config(folder, {"mine": entry | {"video": video}})


def statuses(folder, *options):
    """The outcome and the message of every video, by `mafnet probe`."""
    fixed = ("probe", "--manifest", "m.csv", "--output", "media.tsv", *options)
    done = mafnet(folder, *fixed)
    assert done.returncode == 0, done.stderr
    rows = read_media(folder / "media.tsv")
    return {row.status for row in rows}, {row.error for row in rows}


def test_links_to_other_folders_are_refused_and_the_setting_is_named(snapshot, tmp_path):
    checked = mafnet(tmp_path, "check", "mine", "--configfile", settings(tmp_path, snapshot))
    assert checked.returncode == 1
    assert "links to other folders (not opened): 4\n  0.mp4" in checked.stdout
    assert "allow the links with video.link_roots" in checked.stderr
    found, errors = statuses(tmp_path, "--root", snapshot)
    assert found == {"outside_root"}
    assert all("name a folder above it in video.link_roots" in error for error in errors)
    doctor = mafnet(tmp_path, "doctor", "--videos", snapshot, "--clips", 1)
    assert "outside_root" in doctor.stdout


def test_link_roots_allow_links_to_their_files_only(snapshot, tmp_path):
    blobs = str(tmp_path / "hub/blobs")
    config = settings(tmp_path, snapshot, link_roots=[blobs])
    checked = mafnet(tmp_path, "check", "mine", "--configfile", config)
    assert checked.returncode == 0, checked.stderr
    assert statuses(tmp_path, "--root", snapshot, "--link-root", blobs)[0] == {"ok"}
    doctor = mafnet(tmp_path, "doctor", "--videos", snapshot, "--clips", 1, "--link-root", blobs)
    assert doctor.returncode == 0, doctor.stdout
    (snapshot / "3.mp4").unlink()
    (snapshot / "3.mp4").symlink_to(tmp_path / "m.csv")
    found = statuses(tmp_path, "--root", snapshot, "--link-root", blobs)[0]
    assert found == {"ok", "outside_root"}


def test_link_roots_reach_the_calibration_and_rerun_only_what_reads_them(snapshot, tmp_path):
    import yaml

    def plan(**video):
        path = settings(tmp_path, snapshot, **video)
        shared = {"model": {"variants": {"mafnet": {"network": "mafnet"}}}}
        return Plan(shared | {"datasets": yaml.safe_load(path.read_text())["datasets"]})

    without, allowed = plan(), plan(link_roots=["/blobs"])
    assert allowed.link_roots("mine") == ["/blobs"]
    assert allowed.extraction("mine", "visual") == without.extraction("mine", "visual")
    assert '"link_roots":["/blobs"]' in allowed.calibration("mine", "visual")
    assert "link_roots" not in without.policies("mine")


def test_check_and_doctor_find_the_same_files(tmp_path):
    for suffix in SUFFIXES:
        (tmp_path / f"a{suffix.upper()}").write_bytes(b"v")
    for name in ("._a.mp4", ".hidden.mp4", "a.txt", "a.jpg"):
        (tmp_path / name).write_bytes(b"v")
    assert list_videos(tmp_path).paths == sorted(f"a{suffix.upper()}" for suffix in SUFFIXES)


def test_a_preview_image_is_not_taken_for_the_video():
    folder = Folder({"a": ["x/a.gif", "x/a.mp4"]})
    (sample,) = located([Sample("a", "a.mp4", "l", "train")], folder, folded=False)
    assert sample.video == "x/a.mp4"


def test_files_that_macos_writes_beside_others_are_not_archives(tmp_path):
    for name in ("k400.tar.gz", "._k400.tar.gz"):
        (tmp_path / name).write_bytes(b"")
    assert archives_of(tmp_path) == [tmp_path / "k400.tar.gz"]


def test_home_and_variables_are_expanded(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", "/home/me")
    monkeypatch.setenv("SCRATCH", "/scratch")
    assert expanded("~/videos") == "/home/me/videos"
    assert expanded("$SCRATCH/a") == expanded("${SCRATCH}/a") == "/scratch/a"
    monkeypatch.chdir(tmp_path)
    os.mkdir("$SCRATCH")
    assert expanded("$SCRATCH") == "$SCRATCH", "a folder of this name exists"


def test_a_variable_that_is_not_set_is_named(monkeypatch):
    monkeypatch.delenv("NO_SUCH", raising=False)
    entry = {"root": "$NO_SUCH/v", "splits": {"main": "m.csv"}}
    with pytest.raises(MafnetError, match=r"mine\.root: '\$NO_SUCH/v' names \$NO_SUCH, which the"):
        Plan({"datasets": {"mine": entry}})
