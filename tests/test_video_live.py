"""Live sources: real ffmpeg processes that write into named pipes."""

import os
import signal
import subprocess
from contextlib import contextmanager
from itertools import zip_longest

import numpy as np
import pytest
from support.made_videos import (
    AAC,
    H264,
    SETTINGS,
    audio_of,
    counting_frames,
    counting_video,
    frame_numbers,
    frames_of,
    tone,
    with_clips,
)

from mafnet.common.errors import MafnetError
from mafnet.common.ffmpeg import ffmpeg_path
from mafnet.video.live import AHEAD_SECONDS, LiveSource, is_live

BOTH = {"visual": SETTINGS, "audio": SETTINGS}


@contextmanager
def sending(folder, *arguments):
    """A named pipe into which ffmpeg writes."""
    pipe = folder / "pipe"
    os.mkfifo(pipe)
    assert is_live(str(pipe))
    quiet = ("-nostdin", "-v", "error", "-threads", "1", "-y")
    command = [ffmpeg_path(), *quiet, *map(str, arguments), str(pipe)]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        try:
            yield str(pipe)
        finally:
            process.send_signal(signal.SIGKILL)


def read(name, settings=BOTH):
    """All clips of both streams: frames (N, S, S, 3) and samples (N,)."""
    with LiveSource(name, settings) as source:
        streams = [source.clips(each) for each in settings]
        clips = list(zip_longest(*streams))
    return [np.concatenate([each for each in column if each is not None] or [np.empty(0)])
            for column in zip(*clips, strict=True)]  # fmt: skip


@pytest.mark.parametrize("suffix", [".mkv", ".ts"])
def test_the_clips_are_those_of_the_file(tmp_path, suffix):
    video = counting_video(tmp_path / f"file{suffix}", 3.4, 10)
    form = {".mkv": "matroska", ".ts": "mpegts"}[suffix]
    with sending(tmp_path, "-copyts", "-i", video, "-c", "copy", "-f", form) as name:
        frames, samples = read(name)
    settings = with_clips(10)
    expected, _ = frames_of(video, settings)
    assert frame_numbers(frames) == frame_numbers(expected)
    heard, _ = audio_of(video, settings)
    assert len(samples) == len(heard) == 4 * SETTINGS.sample_rate
    # The muxers round times to a millisecond or less.
    shift = 0 if suffix == ".mkv" else SETTINGS.sample_rate // 1000
    parts = [np.abs(samples[4000:40000].astype(int) - heard[4000 + by : 40000 + by]).max()
             for by in range(-shift, shift + 1)]  # fmt: skip
    assert min(parts) < 300  # the tone has 4,096


def test_a_source_without_sound(tmp_path):
    with sending(tmp_path, *counting_frames(2, 10), *H264, "-f", "matroska") as name:
        frames, samples = read(name)
    assert len(frames) == 2 * SETTINGS.frames_per_clip
    assert not len(samples)


def test_a_network_of_one_modality_reads_one_stream(tmp_path):
    inputs = (*counting_frames(2, 10), *tone(2), *H264, *AAC)
    with sending(tmp_path, *inputs, "-f", "mpegts") as name:
        (samples,) = read(name, {"audio": SETTINGS})
    assert len(samples) == 2 * SETTINGS.sample_rate


def test_sound_that_stops_is_silence_and_holds_little_back(tmp_path):
    seconds = AHEAD_SECONDS + 10
    inputs = (*counting_frames(seconds, 10), *tone(2), *H264, *AAC)
    with (
        sending(tmp_path, *inputs, "-f", "mpegts") as name,
        LiveSource(name, BOTH) as source,
    ):
        most, count = 0, 0
        for frames, samples in zip(source.clips("visual"), source.clips("audio"), strict=False):
            assert len(frames) == SETTINGS.frames_per_clip
            assert np.any(samples) == (count < 2), count
            count, most = count + 1, max(most, len(source._waiting["visual"]) // frames.nbytes)
    assert count >= seconds - 1  # the silence need not reach the end
    assert most <= AHEAD_SECONDS + 2


@pytest.mark.parametrize("content", [b"", b"no video" * 1000])
def test_what_is_no_video_is_an_error_that_says_what_to_send(tmp_path, content):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "content").write_bytes(content)
    with (
        subprocess.Popen(["cp", tmp_path / "content", tmp_path / "pipe"]),
        pytest.raises(MafnetError, match=r"cannot be decoded \(.*\); send Matroska"),
    ):
        read(str(tmp_path / "pipe"))


def test_an_endless_source_is_read_until_it_is_stopped(tmp_path):
    endless = ("-f", "lavfi", "-i", "color=s=64x48:r=10", *H264, "-g", 10, "-f", "mpegts")
    with sending(tmp_path, *endless) as name, LiveSource(name, {"visual": SETTINGS}) as source:
        clips = source.clips("visual")
        next(clips)
        source.stop()  # most often within a frame
        assert len(list(clips)) < 1000


def test_files_are_no_live_sources(tmp_path):
    (tmp_path / "a.mp4").touch()
    for name in (tmp_path / "a.mp4", tmp_path, tmp_path / "none", "a\0b"):
        assert not is_live(str(name))
    assert is_live("pipe:0")
