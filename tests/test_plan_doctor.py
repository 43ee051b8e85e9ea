"""`mafnet doctor --videos` checks a collection of videos, even if the decoder crashes."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from support.bad_media import overwritten, truncated
from support.made_videos import counting_video

from mafnet.cli import main
from mafnet.common.ffmpeg import ffmpeg_path

CRASHING = """#!/bin/sh
case "$*" in
  */crash.mp4*) kill -SEGV $$ ;;
esac
exec {ffmpeg} "$@"
"""


@pytest.fixture
def collection(tmp_path):
    """A folder with two good videos, two damaged videos, a text named .mp4, and a text file."""
    root = tmp_path / "videos"
    (root / "a b").mkdir(parents=True)
    counting_video(root / "good.mp4", 1, 8)
    counting_video(root / "a b" / "[red]\x1b[31m.MP4", 1, 8, "-f", "mp4")
    truncated(root / "truncated.mp4")
    overwritten(root / "overwritten.mp4")
    (root / "-text.mp4").write_text("text")
    (root / "notes.txt").write_text("text")
    return root


def doctor(*arguments: object):
    return CliRunner().invoke(main, ["doctor", *map(str, arguments)])


def test_folder(collection, tmp_path):
    result = doctor("--videos", collection, "--list", tmp_path / "fetch.txt")
    assert result.exit_code == 1
    assert "1 of 5 videos cannot be used" in result.output
    assert "3 videos to download again" in result.output
    fetch = (tmp_path / "fetch.txt").read_text().splitlines()
    assert fetch == ["-text.mp4", "overwritten.mp4", "truncated.mp4"]
    rows = [line.replace("│", " ").split() for line in result.output.splitlines()]
    shown = {tuple(row[:3]) for row in rows if len(row) > 2}
    assert {("failed", "unreadable", "1"), ("warned", "decoder_errors", "2")} <= shown


def test_manifest_whose_names_contain_terminal_commands(collection, tmp_path):
    manifest = tmp_path / "manifest.csv"
    name = "a b/[red]\x1b[31m.MP4"
    manifest.write_text(
        f"sample,video,label,subset\n1,{name},x,train\n2,gone\x1b[2J[bold].mp4,x,test\n"
    )
    result = doctor("--videos", manifest, "--root", collection)
    assert result.exit_code == 1
    assert "\x1b[2J" not in result.output
    assert r"gone\x1b[2J[bold].mp4" in result.output
    assert "1 of 2 videos" in result.output


def test_folder_of_good_videos(collection):
    result = doctor("--videos", collection / "a b")
    assert (result.exit_code, "1" in result.output) == (0, True)


def test_folder_without_videos(tmp_path):
    result = doctor("--videos", tmp_path)
    assert result.exit_code == 1
    assert "no file in it has a suffix of a video" in result.output


def test_crash_of_the_decoder_affects_one_video_only(tmp_path):
    program = tmp_path / "bin" / "ffmpeg"
    program.parent.mkdir()
    program.write_text(CRASHING.format(ffmpeg=ffmpeg_path()))
    program.chmod(0o755)
    root = tmp_path / "videos"
    root.mkdir()
    for name in ("a", "crash", "z"):
        counting_video(root / f"{name}.mp4", 1, 8)
    command = [sys.executable, "-m", "mafnet", "doctor", "--videos", str(root), "--threads", "2"]
    path = os.pathsep.join([str(program.parent), os.environ["PATH"]])
    result = subprocess.run(
        command, capture_output=True, text=True, env=os.environ | {"PATH": path}, timeout=120,
        cwd=Path(__file__).parents[1],
    )  # fmt: skip
    assert result.returncode == 1
    assert "1 of 3 videos cannot be used" in result.stderr
    assert "crashed" in result.stdout
    assert "'crash.mp4'" in result.stdout
