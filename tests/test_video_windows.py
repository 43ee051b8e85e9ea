"""Sound at other rates, and windows that are longer or shorter than a clip."""

import numpy as np
import pytest
from support.made_videos import audio_of, changed, ffmpeg

from mafnet.video.config import VideoSettings
from mafnet.video.windows import windows

RATE = 10


def windows_of(clips, seconds):
    """Windows of `clips` clips of the numbers 1, 2, 3, ... at ten samples a second."""
    numbers = np.arange(1, clips * RATE + 1, dtype=np.int16).reshape(clips, RATE)
    settings = VideoSettings(sample_rate=RATE, window_seconds=seconds)
    return [window.tolist() for window in windows(iter(numbers), settings)]


@pytest.mark.parametrize(
    ("seconds", "first", "last"),
    [
        (1, (1, 10), (21, 30)),
        (0.6, (3, 8), (23, 28)),
        (2, (-4, 15), (16, 35)),
        (3, (-9, 20), (11, 40)),
        (10, (-44, 55), (-24, 75)),
    ],
)
def test_a_window_is_centred_on_its_clip_and_silent_outside(seconds, first, last):
    found = windows_of(3, seconds)
    assert len(found) == 3
    for window, (start, end) in ((found[0], first), (found[-1], last)):
        assert window == [n if 1 <= n <= 30 else 0 for n in range(start, end + 1)]


def test_no_clips_give_no_windows():
    assert windows_of(0, 5) == []


def test_sound_is_decoded_at_the_rate_of_the_backbone(tmp_path):
    path = tmp_path / "a.mkv"
    sine = ("-f", "lavfi", "-i", "sine=f=9000:r=48000:d=2")
    ffmpeg("-f", "lavfi", "-i", "color=s=32x32:r=5:d=2", *sine, "-c:a", "pcm_s16le", path)
    samples, _ = audio_of(path, changed(sample_rate=32_000, clips=2))
    assert len(samples) == 64_000
    spectrum = np.abs(np.fft.rfft(samples.astype(float)))
    assert np.argmax(spectrum) / 2 == pytest.approx(9000, abs=1)  # 16 kHz cannot have it
