"""Which frames of a video a network sees: times, size, crop, mirror. Decoding is in `clip_reader`.

All random choices come from a text key, so they do not depend on the order of reading, on the
number of processes, or on a restart.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from mafnet.common.config import Number, Settings
from mafnet.video.media import Media

FRAME_RATE = 25.0
"""Frame rate of a file that does not state one."""

MAX_FRAME_RATE = 240.0
"""Highest frame rate that is believed; some files state thousands."""

Rgb = Annotated[list[Number], Field(min_length=3, max_length=3)]


class Sampling(Settings):
    """How clips are taken from a video. A clip has `frames` frames, `stride` ticks apart.

    Every time belongs to the frame that a player shows then. After the end it is the last frame.
    """

    frames: int = Field(16, ge=1, le=512, description="Frames of a clip in training.")
    stride: int = Field(1, ge=1, description="Distance of the frames, in ticks of `rate`.")
    rate: Number = Field(
        0,
        ge=0,
        le=240,
        description="Ticks per second. 0 is the frame rate of each video.",
    )
    short_side: Annotated[list[int], Field(min_length=2, max_length=2)] = Field(
        [128, 128],
        description="Least and largest shorter side of the scaled frames in training. Each clip "
        "has a random one between them. Unit: pixels.",
    )
    scaled_width: int = Field(
        0,
        ge=0,
        description="Width of the scaled frames, if the aspect ratio is not kept; 0 keeps it. "
        "Unit: pixels.",
    )
    crop: int = Field(112, ge=8, description="Side of the square crop in training. Unit: pixels.")
    crop_from: Literal["anywhere", "corners"] = Field(
        "anywhere",
        description="Where crops in training come from: anywhere, or the corners and the centre.",
    )
    mirror: bool = Field(True, description="Half of the clips in training are mirrored.")
    test_short_side: int = Field(
        128, ge=8, description="Shorter side of the scaled frames at test. Unit: pixels."
    )
    test_crop: int = Field(112, ge=8, description="Side of the crops at test. Unit: pixels.")
    test_crops: Literal[1, 3] = Field(
        1, description="Crops of a clip at test: the centre, or three along the longer side."
    )
    test_clips: int = Field(
        10,
        ge=0,
        description="Clips of a video at test, evenly in time. 0 is all that fit without overlap.",
    )
    test_frames: int = Field(
        0, ge=0, le=2500, description="Frames of a clip at test. 0 is `frames`."
    )
    mean: Rgb = Field(
        [0.5, 0.5, 0.5],
        description="Subtracted from red, green and blue, which are between 0 and 1.",
    )
    deviation: Rgb = Field(
        [0.5, 0.5, 0.5], description="By which red, green and blue are divided then."
    )


@dataclass(frozen=True)
class Clip:
    """One clip to decode.

    times: seconds from the start of the container. height, width: of the scaled frames.
    top, left, side: the crop in the scaled frames. mirrored: left and right are exchanged.
    """

    times: tuple[float, ...]
    height: int
    width: int
    top: int
    left: int
    side: int
    mirrored: bool = False


def training_clip(media: Media, sampling: Sampling, seconds: float, key: str) -> Clip:
    """A random clip of a video; the same for the same key.

    seconds: the part of the video that is used, from its start.
    """
    draw = random.Random(key)
    tick, length = _tick(media, sampling), _length(media, seconds)
    span = (sampling.frames - 1) * sampling.stride * tick
    first = draw.uniform(0, max(length - span - tick, 0))
    low, high = sampling.short_side
    height, width = _scaled(media, draw.randint(low, max(low, high)), sampling.scaled_width)
    side = min(sampling.crop, height, width)
    top, left = _corner(draw, sampling.crop_from, height - side, width - side)
    mirrored = sampling.mirror and draw.random() < 0.5
    times = _times(first, sampling.frames, sampling.stride * tick)
    return Clip(times, height, width, top, left, side, mirrored)


def evaluation_clips(media: Media, sampling: Sampling, seconds: float) -> list[Clip]:
    """All clips and crops of a video at test, the crops of a clip one after another."""
    height, width = _scaled(media, sampling.test_short_side, sampling.scaled_width)
    side = min(sampling.test_crop, height, width)
    return [
        Clip(times, height, width, top, left, side)
        for times in _test_times(media, sampling, seconds)
        for top, left in _test_corners(sampling, height - side, width - side)
    ]


def _test_times(media: Media, sampling: Sampling, seconds: float) -> Iterator[tuple[float, ...]]:
    tick, length = _tick(media, sampling), _length(media, seconds)
    frames = sampling.test_frames or sampling.frames
    step = sampling.stride * tick
    count = sampling.test_clips or max(int((length + tick / 2) / (frames * step)), 1)
    last = max(length - (frames - 1) * step - tick, 0)
    for index in range(count):
        if not sampling.test_clips:
            first = index * frames * step
        else:
            first = last * index / (count - 1) if count > 1 else last / 2
        yield _times(first, frames, step)


def _test_corners(sampling: Sampling, down: int, right: int) -> list[tuple[int, int]]:
    """Top and left of the crops; `down` and `right` are the largest values."""
    if sampling.test_crops == 1:
        return [(down // 2, right // 2)]
    if right >= down:
        return [(down // 2, left) for left in (0, right // 2, right)]
    return [(top, right // 2) for top in (0, down // 2, down)]


def _corner(draw: random.Random, crop_from: str, down: int, right: int) -> tuple[int, int]:
    if crop_from == "anywhere":
        return draw.randint(0, down), draw.randint(0, right)
    corners = [(top, left) for top in (0, down) for left in (0, right)]
    return draw.choice([*corners, (down // 2, right // 2)])


def _times(first: float, frames: int, step: float) -> tuple[float, ...]:
    # Rounded to the microsecond, so that clips that overlap share their frames.
    return tuple(round(first + index * step, 6) for index in range(frames))


def _tick(media: Media, sampling: Sampling) -> float:
    """Seconds between two ticks."""
    own = media.frame_rate if media.frame_rate and media.frame_rate > 0 else FRAME_RATE
    return 1 / (sampling.rate or min(own, MAX_FRAME_RATE))


def _length(media: Media, seconds: float) -> float:
    """Seconds of a video that are used."""
    end = media.video_end_seconds or media.duration_seconds or seconds
    return min(max(end, 0), seconds)


def _scaled(media: Media, short: int, fixed_width: int) -> tuple[int, int]:
    """Height and width of the scaled frames as a player shows them."""
    if fixed_width:
        return short, fixed_width
    height, width = media.height or short, media.width or short
    if (media.rotation or 0) % 180:
        height, width = width, height
    scale = short / min(height, width)
    # A strip of a few pixels would become gigabytes; nothing real is ten times as long as high.
    return min(round(height * scale), 10 * short), min(round(width * scale), 10 * short)
