"""Clips of video networks: which frames are chosen, that they are the right ones, and limits."""

import shutil
import subprocess
import sys
from itertools import pairwise

import numpy as np
import pytest
from support.bad_media import large_frame, noisy, overwritten, png, text_file, truncated
from support.made_videos import (
    changed,
    counting_video,
    ffmpeg,
    frame_numbers,
    frames_of,
    probed,
    rotated,
)
from support.odd_media import hour_ahead

from mafnet.video.clip_reader import ClipReader, read_clips
from mafnet.video.isolate import Failure, Isolated
from mafnet.video.media import Media, write_media
from mafnet.video.sampling import Clip, Sampling, evaluation_clips, training_clip
from mafnet.video.status import Status

TEN = Media("a.mp4", width=320, height=240, frame_rate=30.0, video_end_seconds=10.0)


def at(*times, side=16):
    """A clip of whole frames at some times."""
    return Clip(times, side, side, 0, 0, side)


def numbers(path, *times):
    """Numbers of the frames at some times of a counting video."""
    (frames,) = read_clips(path, probed(path), [at(*times)])
    return frame_numbers(frames)


def test_training_clips_are_inside_the_video_and_vary_with_the_key_only():
    sampling = Sampling(frames=32, stride=2, short_side=[128, 160], crop=112)
    clips = [training_clip(TEN, sampling, 10, f"key {number}") for number in range(200)]
    assert clips[7] == training_clip(TEN, sampling, 10, "key 7")
    for clip in clips:
        steps = [after - before for before, after in pairwise(clip.times)]
        assert steps == pytest.approx([2 / 30] * 31, abs=2e-6)
        assert clip.times[0] >= 0
        assert clip.times[-1] < 10
        assert 128 <= clip.height <= 160
        assert clip.width == pytest.approx(clip.height * 4 / 3, abs=1)
        assert 0 <= clip.top <= clip.height - 112
        assert 0 <= clip.left <= clip.width - 112
    assert 60 < sum(clip.mirrored for clip in clips) < 140
    assert min(clip.times[0] for clip in clips) < 0.5
    assert max(clip.times[-1] for clip in clips) > 9.5
    assert {clip.height for clip in clips} == set(range(128, 161))


def test_corner_crops_are_the_corners_and_the_centre():
    sampling = Sampling(short_side=[120, 120], crop_from="corners")
    found = {training_clip(TEN, sampling, 10, str(number)) for number in range(100)}
    corners = {(clip.top, clip.left) for clip in found}
    assert corners == {(0, 0), (0, 48), (8, 0), (8, 48), (4, 24)}


def test_clips_at_test_cover_the_video_evenly():
    sampling = Sampling(frames=32, stride=2, test_short_side=120, test_crop=112, test_crops=3)
    clips = evaluation_clips(TEN, sampling, 10)
    assert len(clips) == 30
    assert clips[0].times[0] == 0
    assert clips[-1].times[-1] == pytest.approx(10 - 1 / 30, abs=1e-5)
    assert [clip.left for clip in clips[:3]] == [0, 24, 48]
    assert {clip.top for clip in clips} == {4}


def test_clips_without_overlap_are_as_many_as_fit_and_at_least_one():
    sampling = Sampling(frames=16, test_clips=0)
    assert len(evaluation_clips(TEN, sampling, 10)) == 18  # 300 frames
    assert len(evaluation_clips(TEN, sampling, 3)) == 5
    short = Media("a.mp4", width=64, height=48, frame_rate=30.0, video_end_seconds=0.2)
    (clip,) = evaluation_clips(short, sampling, 10)
    assert len(clip.times) == 16


def test_upright_and_fixed_sizes():
    upright = Media("a.mp4", width=320, height=240, rotation=90, video_end_seconds=10.0)
    clip = training_clip(upright, Sampling(short_side=[120, 120]), 10, "")
    assert (clip.height, clip.width) == (160, 120)
    clip = training_clip(upright, Sampling(scaled_width=171), 10, "")
    assert (clip.height, clip.width) == (128, 171)


REORDERED = ("-preset", "medium", "-bf", 3)
FILES = {
    "mp4": ("mp4",), "mkv": ("mkv",), "avi": ("avi",), "ts": ("ts",),
    "reordered avi": ("avi", *REORDERED), "reordered mkv": ("mkv", *REORDERED),
    "MPEG-4 avi": ("avi", "-c:v", "mpeg4", "-q:v", 1, "-bf", 2),
}  # fmt: skip


@pytest.mark.parametrize("case", FILES)
def test_every_time_has_the_frame_of_the_other_decoder(tmp_path, case):
    suffix, *options = FILES[case]
    path = counting_video(tmp_path / f"a.{suffix}", 3, 30, "-g", 30, *options)
    frames, _ = frames_of(path, changed(frames_per_clip=10, clips=3))
    times = [index / 10 for index in range(30)]
    assert numbers(path, *times) == frame_numbers(frames)
    seldom = [0.2, 2.5, 2.6]  # with a seek
    assert numbers(path, *seldom) == [frame_numbers(frames)[round(10 * t)] for t in seldom]


def test_times_between_frames_and_after_the_end(tmp_path):
    path = counting_video(tmp_path / "a.mp4", 3, 30, "-g", 30)
    assert numbers(path, 0.5, 0.51, 1.9999, 2.2) == [15, 15, 60, 66]  # 1.9999: stamps are rounded
    assert numbers(path, 0.1, 2.9, 7.0) == [3, 87, 89]


def test_reordered_frames_and_a_late_start(tmp_path):
    source = counting_video(tmp_path / "a.mp4", 4, 30, "-g", 60, "-bf", 3, "-preset", "medium")
    late = tmp_path / "late.mkv"
    ffmpeg("-i", source, "-c", "copy", "-output_ts_offset", 5, late)
    for path in (source, late):
        assert numbers(path, 0.0, 1.5, 3.5) == [0, 45, 105]
        assert numbers(path, 3.0) == [90]


def test_a_clock_that_jumps(tmp_path):
    path = tmp_path / "jump.ts"
    hour_ahead(path)
    media = probed(path)
    assert media.clock_offsets
    (frames,) = read_clips(path, media, [at(0.0, 1.0, media.video_end_seconds - 0.1)])
    first, second, third = frame_numbers(frames)
    assert first < second < third


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_turned_videos_are_upright(tmp_path, degrees):
    path = tmp_path / "a.mp4"
    boxes = "color=black:s=64x48:r=10:d=1,drawbox=0:0:32:24:white:fill"
    ffmpeg("-f", "lavfi", "-i", boxes, "-c:v", "libx264", "-pix_fmt", "yuv420p", path)
    turned = rotated(path, degrees)
    media = probed(turned)
    clip = training_clip(media, Sampling(frames=1, short_side=[48, 48], crop=48), 1, "")
    shape = (clip.height, clip.width)
    assert shape == ((64, 48) if degrees % 180 else (48, 64))
    (frames,) = read_clips(turned, media, [Clip((0.0,), *shape, 0, 0, 64)])
    rows, columns = (frames[0].shape[0] // 4, frames[0].shape[1] // 4)
    corners = frames[0][:, :, 0][rows :: 2 * rows, columns :: 2 * columns][:2, :2] > 128
    assert (corners == np.rot90([[1, 0], [0, 0]], degrees // 90)).all()


def test_crop_and_mirror(tmp_path):
    path = tmp_path / "a.mp4"
    boxes = "color=black:s=64x48:r=10:d=1,drawbox=0:0:32:48:white:fill"
    ffmpeg("-f", "lavfi", "-i", boxes, "-c:v", "libx264", "-pix_fmt", "yuv420p", path)
    plain = Clip((0.0, 0.1), 48, 64, 8, 8, 40)
    mirrored = Clip((0.0, 0.1), 48, 64, 8, 8, 40, mirrored=True)
    one, other = read_clips(path, probed(path), [plain, mirrored])
    assert one.shape == (2, 40, 40, 3)
    assert (one[:, :, ::-1] == other).all()
    assert one[0, 0, 0, 0] > 200 > 50 > one[0, 0, -1, 0]


@pytest.mark.parametrize("damage", [truncated, overwritten])
def test_damaged_videos_give_what_can_be_decoded(tmp_path, damage):
    path = counting_video(tmp_path / "a.mp4", 3, 30, "-g", 15, "-movflags", "+faststart")
    media = probed(path)
    damage(path)
    result = read_clips(path, media, [at(0.0, 0.5, 2.9)])
    assert isinstance(result, Failure) or result[0].shape == (3, 16, 16, 3)


@pytest.mark.skipif(not shutil.which("strace"), reason="strace injects EIO")
@pytest.mark.parametrize("faults", ["when=6", "when=6..8", "when=6+"])
def test_a_disk_that_fails_in_the_middle_gives_no_other_frames(tmp_path, faults):
    path = noisy(tmp_path / "a.mkv")  # several reads of 32 kB
    times = [0.5, 3.0, 5.0, 7.0, 9.5]
    media = probed(path)
    (whole,) = read_clips(path, media, [at(*times)])
    script = f"""
import sys
from pathlib import Path
from mafnet.video.clip_reader import read_clips
from mafnet.video.media import read_media
from mafnet.video.sampling import Clip
found = read_clips(Path({str(path)!r}), read_media(Path({str(tmp_path / "m.tsv")!r}))[0],
                   [Clip({tuple(times)}, 16, 16, 0, 0, 16)])
sys.stdout.buffer.write(found[0].tobytes() if isinstance(found, list) else found.reason.encode())
"""
    write_media([media], tmp_path / "m.tsv")
    inject = ("-e", "trace=read", "-e", f"inject=read:error=EIO:{faults}", "-P", path)
    strace = ["strace", "-f", "-qq", "-o", tmp_path / "trace", *inject]
    done = subprocess.run([*strace, sys.executable, "-c", script], capture_output=True)
    assert "INJECTED" in (tmp_path / "trace").read_text()
    assert done.stdout in (whole.tobytes(), b"interrupted", b"undecodable"), done.stderr[-500:]
    if faults == "when=6":
        assert done.stdout == whole.tobytes()


def test_files_that_may_not_be_read_are_failures(tmp_path):
    secret = counting_video(tmp_path / "secret.mp4", 1)
    playlist = tmp_path / "list.mp4"
    text_file(f"ffconcat version 1.0\nfile {secret.name}\n")(playlist)
    picture = tmp_path / "picture.mp4"
    png(picture)
    hls = tmp_path / "hls.mp4"
    text_file(f"#EXTM3U\n#EXTINF:1,\n{secret.name}\n")(hls)
    with ClipReader(1, timeout_seconds=30, memory_mb=4000) as reader:
        calls = [(path, Media(path.name), [at(0.0)]) for path in (playlist, picture, hls)]
        calls.append((secret, probed(secret), [at(0.0)]))
        *bad, good = reader.read(calls)
    assert [each.reason for each in bad] == [Status.UNDECODABLE] * 3
    assert good[0].shape == (1, 16, 16, 3)


def test_huge_frames_are_refused_within_the_limit_of_memory(tmp_path):
    path = tmp_path / "large.mp4"
    large_frame(path)
    with ClipReader(1, timeout_seconds=30, memory_mb=1000) as reader:
        (result,) = reader.read([(path, Media(path.name), [at(0.0)])])
    assert isinstance(result, Failure)


def test_the_limit_of_memory_is_a_failure_of_one_video(tmp_path):
    path = counting_video(tmp_path / "a.mp4", 3)
    wide = Clip(tuple(n / 30 for n in range(90)), 2000, 2000, 0, 0, 2000)  # 1.1 GB
    with ClipReader(1, timeout_seconds=60, memory_mb=900) as reader:
        media = probed(path)
        large, small = reader.read([(path, media, [wide]), (path, media, [at(0.0)])])
    assert large.reason in (Status.OUT_OF_MEMORY, Status.CRASHED)
    assert small[0].shape == (1, 16, 16, 3)


def doubled(number):
    return 2 * number


def test_calls_do_not_run_far_ahead_of_their_reader():
    asked = []

    def calls():
        for number in range(100):
            asked.append(number)
            yield (number,)

    processes = Isolated(1, 30)
    results = processes.run(doubled, calls())
    assert [next(results) for _ in range(3)] == [0, 2, 4]
    processes.close()
    assert len(asked) < 10
