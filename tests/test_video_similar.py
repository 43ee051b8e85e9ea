"""Videos in different subsets that look alike: other sizes, qualities and lengths of one video."""

import csv

import numpy as np
import pytest
from support.made_videos import ffmpeg
from support.miniature_runs import mafnet, write_config

from mafnet.video.similar import SIDE, frame_bits

CLIP = "testsrc2=s=160x120:r=10:d=5"
OTHER = "mandelbrot=s=160x120:r=10"


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A video; copies of it, larger and worse and cut; another video; two black ones."""
    root = tmp_path_factory.mktemp("similar")
    h264 = ("-c:v", "libx264", "-pix_fmt", "yuv420p")
    ffmpeg("-f", "lavfi", "-i", CLIP, *h264, root / "first.mp4")
    ffmpeg(
        "-i", root / "first.mp4", "-vf", "scale=320:200", *h264, "-crf", "38", root / "worse.mp4"
    )
    ffmpeg("-ss", "1.5", "-i", root / "first.mp4", "-c:v", "mpeg4", "-q:v", "5", root / "cut.avi")
    ffmpeg("-f", "lavfi", "-i", OTHER, "-t", "5", *h264, root / "other.mp4")
    for name in ("black1", "black2"):
        ffmpeg("-f", "lavfi", "-i", "color=black:s=64x64:r=10:d=3", *h264, root / f"{name}.mp4")
    return root


def test_copies_in_other_subsets_are_found_and_nothing_else(root, tmp_path):
    rows = {
        "first.mp4": "train", "black1.mp4": "train", "other.mp4": "val", "cut.avi": "val",
        "worse.mp4": "test", "black2.mp4": "test",
    }  # fmt: skip
    lines = [
        f"{n},{video},{'ab'[n % 2]},{subset}" for n, (video, subset) in enumerate(rows.items())
    ]
    (tmp_path / "m.csv").write_text("\n".join(["sample,video,label,subset", *lines, ""]))
    entry = {"root": str(root), "splits": {"main": str(tmp_path / "m.csv")}, "video": {"clips": 5}}
    config = write_config(tmp_path, {"mine": entry})
    said = mafnet(tmp_path, "check", "mine", "--configfile", config, "--similar", "similar.tsv")
    assert said.returncode == 0, said.stderr
    assert "3 pairs of videos in different subsets look alike; similar.tsv has them" in said.stdout
    assert "  first.mp4 (train) and worse.mp4 (test)" in said.stdout
    with (tmp_path / "similar.tsv").open() as file:
        found = {(r["video"], r["other_video"]) for r in csv.DictReader(file, delimiter="\t")}
    assert found == {
        ("first.mp4", "cut.avi"), ("first.mp4", "worse.mp4"), ("cut.avi", "worse.mp4"),
    }  # fmt: skip


def test_bits_say_whether_a_block_is_brighter_than_its_left_neighbour():
    ramp = np.broadcast_to(np.arange(SIDE)[:, None] * 3, (1, SIDE, SIDE, 3))
    assert (frame_bits(ramp) == 1).all()
    assert (frame_bits(ramp[:, :, ::-1]) == -1).all()
    assert frame_bits(np.full((2, SIDE, SIDE, 3), 7)).shape == (0, 64)
