"""Settings that make the demo harder and keep its balance."""

import json
from pathlib import Path

import numpy as np
import pytest
import yaml

from mafnet.common.config import parse
from mafnet.common.errors import MafnetError
from mafnet.dataset.config import DemoSettings
from mafnet.dataset.demo.generate import CLASSES, plan
from mafnet.dataset.demo.noise import CLOUDS, LOUDNESS, clouds, hiss
from mafnet.plan.config import merge
from mafnet.plan.stages import Plan

ROOT = Path(__file__).parents[1]
GREY = np.full((48, 64, 3), 128, np.uint8)
RATE = 8000


def generator(seed=0):
    return np.random.default_rng(seed)


def clouded(level, seconds=40, frame_rate=2, seed=0):
    """Some seconds of grey frames with clouds, (F, H, W, 3)."""
    frames = [GREY] * (seconds * frame_rate)
    return np.array(list(clouds(frames, frame_rate, level, generator(seed))), float)


def test_clouds_have_their_level_and_change_every_second():
    level = 20
    frames = clouded(level) - 128
    assert np.array_equal(frames[0], frames[1])
    assert np.abs(frames[2] - frames[1]).mean() > level / 2
    corners = frames[::2, :: GREY.shape[0] - 1, :: GREY.shape[1] - 1]  # points of the coarse grid
    # 480 independent values: the standard deviation is within 15 %, except once in 10,000 draws.
    assert corners.std() == pytest.approx(level, rel=0.15)


def test_clouds_are_large():
    """Neighbouring pixels of a cloud differ by a fraction of a step of the coarse grid."""
    frame = clouded(20, seconds=1)[0]
    step = GREY.shape[1] / (CLOUDS[1] - 1)
    # Grid points with standard deviation 20 differ by at most 5 x 28; rounding adds one level.
    assert np.abs(np.diff(frame, axis=1)).max() < 5 * 28 / step + 1


def test_clouds_stay_within_the_levels_of_a_frame():
    frames = list(clouds([GREY], 1, 500, generator()))
    assert (frames[0].min(), frames[0].max(), frames[0].dtype) == (0, 255, np.uint8)


def test_hiss_has_its_level_in_both_channels_and_is_as_long_as_the_audio():
    silence = np.zeros((int(40.5 * RATE), 2), np.int16)
    noise = hiss(silence, RATE, 0.05, generator()) / 32768
    assert noise.shape == silence.shape
    assert np.array_equal(noise[:, 0], noise[:, 1])
    seconds = noise[: 40 * RATE, 0].reshape(40, RATE).std(axis=1) / 0.05
    low, high = LOUDNESS
    # Rounding to 16 bits and the first bin of the spectrum change it by far less than 1 %.
    assert low * 0.99 <= seconds.min() < 0.6 < 1.4 < seconds.max() <= high * 1.01


def test_hiss_clips_loud_audio():
    loud = np.full((RATE, 2), 32767, np.int16)
    found = hiss(loud, RATE, 0.5, generator())
    assert found.max() == 32767  # an overflow would be at the other end
    assert (found > 0).mean() > 0.9


def test_videos_of_every_class_are_equally_short_and_contain_their_event():
    settings = DemoSettings(train=20, seconds=4, shorter_by=2)
    samples = plan(settings)
    of_set = [samples[start : start + len(CLASSES)] for start in range(0, len(samples), 6)]
    assert all(len({sample.event for sample in samples}) == 1 for samples in of_set)
    ends = {samples[0].event[1] for samples in of_set}
    assert ends == {1, 2, 3, 4}


def test_noise_changes_neither_the_plan_nor_the_default():
    assert plan(DemoSettings(picture_noise=50, sound_noise=0.1)) == plan(DemoSettings())


def test_an_entry_of_the_config_reaches_the_demo():
    config = yaml.safe_load((ROOT / "config.yaml").read_text())
    hard = yaml.safe_load((ROOT / "benchmarks/hard_demo.yaml").read_text())
    found = json.loads(Plan(merge(config, hard)).demo_settings("demo_hard"))
    own = hard["datasets"]["demo_hard"]
    assert found == own["demo"] | {"seconds": own["video"]["clips"]}
    assert plan(DemoSettings(**found))


def test_videos_too_short_for_an_event_are_the_users_error():
    with pytest.raises(MafnetError, match="the shortest videos have 1 seconds"):
        parse(DemoSettings, {"seconds": 3, "shorter_by": 2}, "--settings")
