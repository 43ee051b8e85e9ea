"""The demo data: balance of its classes, and its real files."""

import itertools
import subprocess
from collections import Counter

import numpy as np
import pytest
from support.seals import visible

from mafnet.common.config import parse
from mafnet.common.errors import MafnetError
from mafnet.common.ffmpeg import ffmpeg_path
from mafnet.dataset.config import DemoSettings
from mafnet.dataset.demo.generate import CLASSES, make_demo, make_video, plan
from mafnet.dataset.demo.scenes import SHAPES, SOUNDS
from mafnet.dataset.manifest import read_manifest

SMALL = DemoSettings(train=1, val=1, test=1, width=96, height=64)


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """A small demo: three sets of six videos."""
    root = tmp_path_factory.mktemp("demo")
    return root, read_manifest(make_demo(root, SMALL), CLASSES)


def decoded(path, *options):
    """The raw bytes that ffmpeg decodes; decoder errors fail the test."""
    command = [ffmpeg_path(), "-v", "error", "-i", str(path), *options, "pipe:"]
    result = subprocess.run(command, capture_output=True, check=True)
    assert not result.stderr
    return result.stdout


def frames_of(path):
    """Every coded frame, (F, H, W, 3)."""
    options = ("-fps_mode", "passthrough", "-f", "rawvideo", "-pix_fmt", "rgb24")
    return np.frombuffer(decoded(path, *options), np.uint8).reshape(
        -1, SMALL.height, SMALL.width, 3
    )


def sound_of(path):
    """Mono samples at 16 kHz in [-1, 1]."""
    return np.frombuffer(decoded(path, "-ac", "1", "-ar", "16000", "-f", "s16le"), "<i2") / 32768


def test_each_shape_and_each_sound_is_shared_by_two_classes():
    looks, sounds = zip(*CLASSES.values(), strict=True)
    assert Counter(looks) == dict.fromkeys(SHAPES, 2)
    assert Counter(sounds) == dict.fromkeys(SOUNDS, 2)
    assert len(set(CLASSES.values())) == 6


def test_manifest_is_the_plan_and_every_video_exists(demo):
    root, samples = demo
    assert samples == plan(SMALL)
    assert Counter(sample.subset for sample in samples) == {"train": 6, "val": 6, "test": 6}
    assert {path.name for path in (root / "videos").iterdir()} == {
        sample.video.removeprefix("videos/") for sample in samples
    }


def test_event_windows_do_not_depend_on_the_label():
    samples = plan(DemoSettings())
    windows = {}
    for sample in samples:
        windows.setdefault((sample.subset, sample.label), []).append(sample.event)
    for subset in ("train", "val", "test"):
        of_classes = [windows[subset, label] for label in CLASSES]
        assert all(of_class == of_classes[0] for of_class in of_classes)
    assert len({sample.event for sample in samples}) == 5  # every window of 1 or 2 seconds of 3


def test_one_modality_is_the_same_for_the_two_classes_that_share_it(demo):
    """So one modality can classify at most half of the test set correctly."""
    root, samples = demo
    test = {s.label: root / s.video for s in samples if s.subset == "test"}
    for one, other in itertools.combinations(CLASSES, 2):
        same_look, same_sound = (a == b for a, b in zip(CLASSES[one], CLASSES[other], strict=True))
        frames, others = frames_of(test[one]), frames_of(test[other])
        assert np.array_equal(frames, others) == same_look
        assert np.array_equal(sound_of(test[one]), sound_of(test[other])) == same_sound


def test_sets_differ_in_frames_and_audio(demo):
    root, samples = demo
    first, second, third = (root / s.video for s in samples if s.label == "red-hum")
    for one, other in ((first, second), (first, third), (second, third)):
        assert not np.array_equal(frames_of(one)[:30], frames_of(other)[:30])
        assert not np.array_equal(sound_of(one), sound_of(other))


def test_videos_have_whole_seconds_of_frames_and_samples(demo):
    root, samples = demo
    for sample in samples:
        frames = len(frames_of(root / sample.video))
        assert frames in {3 * rate for rate in (12, 15, 20, 25)}
        # AAC has blocks of 1024 samples, so there may be one block more: 24 ms at 44.1 kHz.
        assert 0 <= len(sound_of(root / sample.video)) - 48_000 <= 0.024 * 16_000


def test_the_event_is_seen_and_heard_in_its_seconds_only(demo):
    root, samples = demo
    for sample in samples:
        during = [sample.event[0] <= second < sample.event[1] for second in range(3)]
        frames = frames_of(root / sample.video).reshape(3, -1, SMALL.height, SMALL.width, 3)
        colour = [float(np.ptp(second.astype(float), axis=-1).mean()) for second in frames]
        # A shape covers at least a tenth of the frame, and its colours differ by at least 100 of
        # 255. The background is grey, up to chroma rounding by the codec.
        assert all((value > 8) == inside for value, inside in zip(colour, during, strict=True))
        # AAC spreads sound over at most 2048 samples, 0.05 s, outside the window.
        sound = sound_of(root / sample.video)[:48_000].reshape(3, 16_000)[:, 1600:-1600]
        loudness = np.sqrt((sound**2).mean(axis=1))
        assert all((value > 0.02) == inside for value, inside in zip(loudness, during, strict=True))


def test_sound_of_the_shape_has_its_own_band(demo):
    root, samples = demo
    bands = {"hum": (0, 1100), "whistle": (900, 2300), "rattle": (3300, 7700)}
    for sample in samples:
        start, end = (int(second * 16_000) for second in sample.event)
        power = np.abs(np.fft.rfft(sound_of(root / sample.video)[start:end])) ** 2
        hertz = np.fft.rfftfreq(end - start, 1 / 16_000)
        low, high = bands[CLASSES[sample.label][1]]
        assert power[(hertz >= low) & (hertz < high)].sum() > 0.95 * power.sum()


def test_the_same_seed_gives_the_same_bytes_and_another_seed_gives_others(tmp_path):
    contents = []
    for name, seed in (("first", 0), ("again", 0), ("other", 1)):
        settings = DemoSettings(seed=seed, train=1, val=1, test=1, width=96, height=64)
        sample = plan(settings)[0]
        make_video(tmp_path / name, sample, settings)
        contents.append((tmp_path / name / sample.video).read_bytes())
    first, again, other = contents
    assert first == again
    assert first != other


def test_only_the_videos_remain(demo):
    root, _ = demo
    assert visible(root) == ["manifest.csv", "videos"]
    assert all(path.suffix == ".mp4" for path in (root / "videos").iterdir())


@pytest.mark.parametrize(
    ("wrong", "word"),
    [({"test": 0}, "test: 0 is wrong"), ({"seconds": 1}, "seconds"), ({"width": 97}, "even")],
)
def test_impossible_settings_are_the_users_error(wrong, word):
    with pytest.raises(MafnetError, match=word):
        parse(DemoSettings, wrong, "--settings")
