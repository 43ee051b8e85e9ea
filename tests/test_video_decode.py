"""Decoding gives the correct frame and audio sample at every time, for all kinds of containers."""

import math
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from support.made_videos import (
    AAC,
    H264,
    SETTINGS,
    audio_of,
    counting_frames,
    counting_video,
    ffmpeg,
    flash_and_click,
    frame_numbers,
    frames_of,
    probed,
    rotated,
    tone,
    with_clips,
)

from mafnet.video.config import SAMPLE_RATE

FLASH = 2.5
EACH = SETTINGS.frames_per_clip


def shown(rate: float, seconds: float, samples: int) -> list[int]:
    """Frame numbers at the times n / 16 s of a video of constant rate: the last frame not later."""
    last = math.ceil(seconds * rate - 1e-6) - 1
    return [min(int(n * rate / EACH + 1e-6), last) for n in range(samples)]


def test_frames_are_the_nearest_earlier_ones(tmp_path):
    frames, decoding = frames_of(counting_video(tmp_path / "a.mp4", 3, 30))
    assert frames.shape == (48, 32, 32, 3)
    assert frame_numbers(frames) == shown(30, 3, 48)
    assert (decoding.warnings, decoding.error) == ((), "")


@pytest.mark.parametrize("rate", [1, 8, 60])
def test_any_frame_rate(tmp_path, rate):
    frames, decoding = frames_of(counting_video(tmp_path / "a.mp4", 3, rate))
    assert frame_numbers(frames) == shown(rate, 3, 48)
    assert decoding.warnings == ()


@pytest.mark.parametrize(
    ("seconds", "clips"), [(0.5, 1), (2.9, 3), (3, 3), (3.5, 4), (9.93, 10), (12, 10)]
)
def test_last_frame_is_held_to_the_end_of_the_last_clip(tmp_path, seconds, clips):
    path = counting_video(tmp_path / "a.mp4", seconds, 15)
    frames, decoding = frames_of(path)
    assert frame_numbers(frames) == shown(15, seconds, clips * EACH)
    sound, sounding = audio_of(path)
    assert len(sound) == clips * SAMPLE_RATE
    assert decoding.warnings == sounding.warnings == ()


def test_three_seconds_of_ntsc_are_three_clips(tmp_path):
    path = tmp_path / "a.mp4"
    ffmpeg(*counting_frames(4, 30), "-r", "30000/1001", "-frames:v", 90, *H264, path)
    assert probed(path).duration_seconds > 3
    assert len(frames_of(path)[0]) == 3 * EACH


def test_one_frame(tmp_path):
    path = tmp_path / "a.mp4"
    ffmpeg(*counting_frames(1), "-frames:v", 1, *H264, path)
    assert frame_numbers(frames_of(path)[0]) == [0] * EACH


def test_variable_frame_rate(tmp_path):
    path = tmp_path / "a.mp4"
    keep = "select='lt(n,20)+gte(n,50)*not(mod(n,7))'"
    ffmpeg(*counting_frames(3), "-vf", keep, "-fps_mode", "vfr", *H264, path)
    kept = [n for n in range(90) if n < 20 or (n >= 50 and n % 7 == 0)]
    numbers = frame_numbers(frames_of(path)[0])
    assert numbers == [max(k for k in kept if k <= n * 30 / EACH + 1e-6) for n in range(48)]


def test_video_that_starts_late_shows_its_first_frame_before(tmp_path):
    path = tmp_path / "a.mkv"
    filters = ("-vf", "trim=start=1")
    ffmpeg(*counting_frames(3), *tone(3), *filters, *H264, "-c:a", "pcm_s16le", path)
    assert probed(path).video_start_seconds == pytest.approx(1, abs=0.001)
    assert frame_numbers(frames_of(path)[0]) == [max(n, 30) for n in shown(30, 3, 48)]


START_OFFSETS = {
    "plain.mp4": (),
    "late_audio.mp4": ("-af", "atrim=start=1.2"),
    "late_audio.mkv": ("-af", "atrim=start=1.2"),
    "late_video.mp4": ("-vf", "trim=start=1.2"),
    "late_video.ts": ("-vf", "trim=start=1.2", "-muxdelay", "0"),
    "start_5.mkv": ("-output_ts_offset", "5"),
    "start_5.ts": ("-output_ts_offset", "5"),
    "late_audio_start_5.ts": ("-af", "atrim=start=1.2", "-output_ts_offset", "5"),
    "edit_list.mp4": ("-bf", "3", "-preset", "medium"),
}


@pytest.mark.parametrize("name", START_OFFSETS)
def test_flash_and_click_stay_synchronous(tmp_path, name):
    path = tmp_path / name
    ffmpeg(*flash_and_click(FLASH), *H264, *AAC, *START_OFFSETS[name], path)
    flash = np.argmax(frames_of(path)[0].mean((1, 2, 3)) > 128) / EACH
    click = np.argmax(np.abs(audio_of(path)[0].astype(int)) > 5000) / SAMPLE_RATE
    # A sample time is up to 1/16 s after that of the frame. AAC may spread a click over one packet,
    # 23 ms.
    assert flash == pytest.approx(click, abs=1 / EACH + 0.024)
    assert flash == pytest.approx(FLASH, abs=1 / EACH + 0.001)


def test_late_audio_is_preceded_by_exact_silence(tmp_path):
    path = tmp_path / "a.mkv"
    late = ("-af", "atrim=start=1.2")
    ffmpeg(*counting_frames(3), *tone(3), *late, *H264, "-c:a", "pcm_s16le", path)
    sound, decoding = audio_of(path)
    heard = np.flatnonzero(sound)
    # The resampler's filter rings for 16 input samples before the onset: 6 output samples.
    assert heard[0] == pytest.approx(1.2 * SAMPLE_RATE, abs=17)
    assert len(sound) == 3 * SAMPLE_RATE
    assert decoding.warnings == ()


def test_gap_in_the_audio_is_silence(tmp_path):
    path = tmp_path / "a.mkv"
    gap = ("-af", "aselect='not(between(t,1,2))'")
    ffmpeg(*counting_frames(3), *tone(3), *gap, *H264, "-c:a", "pcm_s16le", path)
    sound = audio_of(path)[0].astype(int)
    loud = np.abs(sound).reshape(-1, 1000).max(1) > 2000
    # Blocks of 1/16 s. The borders of the gap may be one packet of 1,024 samples inside a block.
    assert loud[:15].all()
    assert not loud[18:31].any()
    assert loud[33:48].all()


def test_audio_shorter_than_the_frames(tmp_path):
    path = tmp_path / "a.mp4"
    ffmpeg(*counting_frames(3), *tone(1.4), *H264, *AAC, path)
    sound, decoding = audio_of(path)
    assert len(sound) == 2 * SAMPLE_RATE
    assert not sound[int(1.5 * SAMPLE_RATE) :].any()
    assert decoding.warnings == ("short_audio",)
    assert frames_of(path)[1].warnings == ()


def test_no_audio(tmp_path):
    path = tmp_path / "a.mp4"
    ffmpeg(*counting_frames(1), *H264, path)
    sound, decoding = audio_of(path)
    assert len(sound) == 0
    assert decoding.warnings == ()


@pytest.mark.parametrize(
    ("level", "warnings"),
    [("0", ("silent",)), ("0.00007", ("silent",)), ("-0.0004*lt(t,0.01)", ())],
)
def test_silence_below_80_db_is_a_warning(tmp_path, level, warnings):
    path = tmp_path / "a.mkv"
    sound = ("-f", "lavfi", "-i", f"aevalsrc='{level}':s=16000:d=2")
    ffmpeg(*counting_frames(2), *sound, *H264, "-c:a", "pcm_s16le", path)
    assert audio_of(path)[1].warnings == warnings


@pytest.mark.parametrize("levels", [(0.5,), (0.5, -0.25), (0.1, 0.2, 0.3, 0.4, 0.5, 0.6)])
def test_mono_is_the_mean_of_the_channels(tmp_path, levels):
    path = tmp_path / "a.mkv"
    constant = f"aevalsrc='{'|'.join(map(str, levels))}':s=16000:d=1"
    sound = ("-f", "lavfi", "-i", constant, "-c:a", "pcm_s16le")
    ffmpeg(*counting_frames(1), *sound, *H264, path)
    decoded = audio_of(path)[0]
    # One step for rounding each channel to 16 bits, one for rounding the mean.
    assert decoded == pytest.approx(np.full(SAMPLE_RATE, np.mean(levels) * 32768), abs=2)


@pytest.mark.parametrize("rate", [8000, 44100, 48000, 96000])
def test_any_sample_rate(tmp_path, rate):
    path = tmp_path / "a.mkv"
    ffmpeg(*counting_frames(1), *tone(1, 440, rate), *H264, "-c:a", "pcm_s16le", path)
    sound = audio_of(path)[0][1000:-1000]
    times = np.arange(1000, SAMPLE_RATE - 1000) / SAMPLE_RATE
    expected = 32768 / 8 * np.sin(2 * np.pi * 440 * times)
    # 1 % of the amplitude: the ripple of the pass band.
    assert sound == pytest.approx(expected, abs=41)


@pytest.mark.parametrize("rotation", [90, 180, 270])
def test_rotation_is_applied(tmp_path, rotation):
    path = tmp_path / "a.mp4"
    source = "color=black:s=64x32:d=1,drawbox=w=32:h=16:color=white:t=fill"
    ffmpeg("-f", "lavfi", "-i", source, *H264, path)
    assert probed(rotated(path, rotation)).rotation == rotation
    image = frames_of(path)[0][0].mean(2)
    corners = np.array([[image[4, 4], image[4, 27]], [image[27, 4], image[27, 27]]]) > 128
    assert (corners == np.rot90([[1, 0], [0, 0]], rotation // 90)).all()


@pytest.mark.parametrize(
    ("codec", "extension"),
    [
        (("-c:v", "libx264", "-pix_fmt", "yuv420p10le"), "mp4"),
        (("-c:v", "libx264", "-pix_fmt", "yuv444p"), "mp4"),
        (("-c:v", "qtrle", "-pix_fmt", "argb"), "mov"),
        (("-c:v", "libx264", "-vf", "format=yuv444p,crop=63:47:exact=1"), "mkv"),
        (("-c:v", "libx264", "-vf", "setsar=2/1"), "mp4"),
        (("-c:v", "gif"), "gif"),
        (("-c:v", "mpeg4", "-q:v", "1"), "avi"),
    ],
)
def test_every_pixel_format_is_decoded_to_rgb(tmp_path, codec, extension):
    path = tmp_path / f"a.{extension}"
    source = ("-f", "lavfi", "-i", "color=0x4080c0:s=64x48:r=25:d=1")
    ffmpeg(*source, *codec, path)
    frames, _ = frames_of(path)
    assert frames.shape == (EACH, 32, 32, 3)
    # Lossy coding and the palette of GIF change flat colours by a few levels of 255.
    assert frames[8, 16, 16].astype(int) == pytest.approx([0x40, 0x80, 0xC0], abs=8)


def test_many_threads_decode_the_same_arrays(tmp_path):
    path = counting_video(tmp_path / "a.mp4", 2)
    with ThreadPoolExecutor(4) as pool:
        frames = [frames for frames, _ in pool.map(frames_of, [path] * 8)]
        sounds = [sound for sound, _ in pool.map(audio_of, [path] * 8)]
    assert all((one == frames[0]).all() for one in frames)
    assert all((one == sounds[0]).all() for one in sounds)


def test_no_more_clips_than_configured(tmp_path):
    path = counting_video(tmp_path / "a.mp4", 3, 8)
    assert len(frames_of(path, with_clips(2))[0]) == 2 * EACH
    sound, decoding = audio_of(path, with_clips(2))
    assert len(sound) == 2 * SAMPLE_RATE
    assert decoding.warnings == ()


def test_import_loads_no_large_library():
    code = "import sys, mafnet.video.decode, mafnet.video.probe; print(sorted(sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout
    assert "'mafnet.video.decode'" in loaded
    assert not {"'torch'", "'pandas'", "'av'"} & set(loaded.strip("[]\n").split(", "))
