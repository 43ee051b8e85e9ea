"""`mafnet predict --windows`: recordings of any length."""

import json
import os
import re
import signal
import subprocess
import sys
from contextlib import contextmanager

import numpy as np
import pytest
from click.testing import CliRunner
from support.made_videos import AAC, H264, counting_frames, ffmpeg, tone
from support.tiny_run import REPOSITORY

import mafnet
from mafnet.cli import main
from mafnet.common.errors import MafnetError
from mafnet.common.ffmpeg import ffmpeg_path
from mafnet.features.videos import FailedVideo
from mafnet.model.segments import Segment, WindowScores
from mafnet.model.window_output import segments_vtt
from mafnet.model.window_scores import _windows

RUN = "results/tiny/main/mafnet/seed0"


@pytest.fixture(scope="module")
def model(finished_run, tmp_path_factory):
    cache = tmp_path_factory.mktemp("cache")
    return mafnet.load(finished_run.folder / RUN, device="cpu", threads=1, cache=cache)


def test_windows_of_a_recording_that_is_longer_than_t(model, tmp_path):
    """T is one second here: the first second has the scores that `predict` gives."""
    video = tmp_path / "long.mp4"
    ffmpeg(*counting_frames(2.5, 10), *tone(1.5, 300), *H264, *AAC, video)
    found = model.windows(video)
    assert found.scores.shape == (3, 2)
    np.testing.assert_allclose(found.scores.sum(axis=1), 1, atol=2e-6)  # six digits each
    # Float32 sums of batches of another size differ in the last digits.
    np.testing.assert_allclose(found.scores[0], _of(model.predict(video)), rtol=1e-4)
    with pytest.raises(MafnetError, match="from 1 to T"):
        model.windows(video, hop=2)


def _of(prediction):
    return prediction.probabilities


def test_recordings_that_fail_and_without_sound(model, tmp_path):
    video, bad = tmp_path / "silent.mp4", tmp_path / "bad.mp4"
    ffmpeg(*counting_frames(1, 10), *H264, video)
    bad.write_bytes(b"no video")
    np.testing.assert_allclose(model.windows(video).scores[0], _of(model.predict(video)), rtol=1e-4)
    assert isinstance(model.windows(bad), FailedVideo)


@pytest.mark.parametrize(
    ("seconds", "hop", "starts"),
    [(2, 1, [0]), (4, 1, [0]), (6, 1, [0, 1, 2]), (9, 3, [0, 3, 5]), (0, 1, [])],
)
def test_every_second_is_in_a_window(seconds, hop, starts):
    found = list(_windows(iter(range(seconds)), 4, hop))
    assert [start for start, _ in found] == starts
    assert {second for _, window in found for second in window} == set(range(seconds))
    assert all(window == list(range(start, start + len(window))) for start, window in found)


def test_segments_are_merged_with_hysteresis():
    scores = np.array([[0.2], [0.4], [0.6], [0.35], [0.55], [0.1], [0.4], [0.45]])
    found = WindowScores("a", ("x",), scores).segments(0.5, 0.3)
    assert [(each.start, each.end) for each in found] == [(1, 5)]
    assert found[0].score == pytest.approx(0.475)
    assert [(e.start, e.end) for e in WindowScores("a", ("x",), scores).segments(0.5, 0.5)] == [
        (2, 3), (4, 5),
    ]  # fmt: skip


def test_subtitles_are_valid_and_labels_stay_text():
    text = segments_vtt([Segment(59, 3661, "<i>a</i> --> b\n", 0.5)])
    assert text.splitlines() == [
        "WEBVTT", "", "00:00:59.000 --> 01:01:01.000",
        "&lt;i&gt;a&lt;/i&gt; --&gt; b 50%",
    ]  # fmt: skip


def test_the_command_prints_segments(finished_run):
    video, run = (finished_run.folder / path for path in ("videos/7.mp4", RUN))
    words = ["--quiet", "predict", video, "--model", run, "--windows", "--device", "cpu"]
    words = [*map(str, words), "--threads", "1"]
    result = CliRunner().invoke(main, [*words, "--json", "--limits", "0.5", "0.5"])
    (found,) = json.loads(result.stdout)["videos"]
    assert found["segments"][0]["start"] == 0
    assert CliRunner().invoke(main, [*words, "--vtt"]).stdout.startswith("WEBVTT\n\n00:00:00.000")
    for more, message in (
        (("--vtt", "another.mp4"), "one video"),
        (("--limits", "0.1", "1"), "HIGH"),
    ):
        result = CliRunner().invoke(main, [*words, *more])
        assert result.exit_code == 1
        assert message in result.stderr


def test_a_live_source_has_the_scores_of_the_file(model, tmp_path):
    """Of the same bytes: frames and sound are read once, and nothing can be sought."""
    video, pipe = tmp_path / "file.mkv", tmp_path / "pipe"
    ffmpeg(*counting_frames(3.5, 10), *tone(3.5, 300), *H264, *AAC, video)
    os.mkfifo(pipe)
    with (
        subprocess.Popen(["cp", str(video), str(pipe)]),
        model.live(str(pipe)) as (_, seconds),
    ):
        np.testing.assert_allclose(list(seconds), model.windows(video).scores, rtol=1e-4)


def live_command(folder, *more):
    """The command line of `mafnet predict` on standard input."""
    words = ["predict", "pipe:0", "--model", RUN, "--windows", "--limits", "0", "0"]
    options = ["--device", "cpu", "--threads", "1", *more]
    return {"args": [sys.executable, "-P", "-m", "mafnet", *words, *options], "cwd": folder,
            "env": os.environ | {"PYTHONPATH": str(REPOSITORY)}, "text": True}  # fmt: skip


@contextmanager
def endless_video():
    """Standard output of an ffmpeg that writes an endless video in real time."""
    source = ("-f", "lavfi", "-i", "testsrc=s=64x48:r=10", *tone(10_000), *H264, *AAC)
    command = [ffmpeg_path(), "-v", "error", "-re", *source, "-g", "10", "-f", "mpegts", "-"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        try:
            yield process.stdout
        finally:
            process.kill()


def test_ctrl_c_ends_a_live_source_and_prints_the_rest(finished_run):
    with endless_video() as source:
        command = live_command(finished_run.folder, "--json")
        with subprocess.Popen(
            stdin=source, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **command
        ) as process:
            source.close()
            for line in process.stderr:  # the log names the last second
                if re.search("second [1-9]", line):
                    break
            process.send_signal(signal.SIGINT)
            said, log = process.communicate()
    assert process.returncode == 0, log
    found = [json.loads(line) for line in said.splitlines()]
    assert {each["label"] for each in found} == {"high", "low"}
    assert all(each["end"] >= 2 for each in found)


def test_a_reader_that_goes_away_ends_a_live_source(finished_run):
    """As in `mafnet predict pipe:0 ... | head -1`."""
    with endless_video() as source:
        command = live_command(finished_run.folder, "--csv")
        with subprocess.Popen(
            stdin=source, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **command
        ) as process:
            source.close()
            process.stdout.close()
            log = process.stderr.read()
    assert process.returncode == 1
    assert "Traceback" not in log


def test_a_live_source_is_alone_and_has_windows(finished_run):
    for words in (["pipe:0"], ["pipe:0", "a.mp4", "--windows"]):
        words = ["predict", *words, "--model", str(finished_run.folder / RUN)]
        result = CliRunner().invoke(main, words)
        assert result.exit_code == 1
        assert "a live source needs --windows" in result.stderr
