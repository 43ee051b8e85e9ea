"""Finds videos in different subsets that look alike: copies in another size, format or length.

A frame's hash has one bit for each pixel of 8 x 8 grey values: is it darker than its neighbour? Two
frames are alike if at most `ALIKE_BITS` of 64 bits differ (dHash; N. Krawetz, 2013).
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import combinations
from pathlib import Path

import numpy as np

from mafnet.dataset.manifest import SUBSETS, Sample
from mafnet.video.clips import DecodeError
from mafnet.video.config import VideoSettings
from mafnet.video.decode import decode_frames
from mafnet.video.media import Media

ROWS = 8
SIDE = ROWS * (ROWS + 1)
"""Side in pixels of the decoded frames: blocks of 9 x 8 pixels give 8 x 9 grey values."""

ALIKE_BITS = 6
LEAST_CONTRAST = 4.0
"""Frames whose grey values have a smaller standard deviation (black, fades) say nothing."""

RATE = 4
"""Frames of each clip."""

LEAST_FRAMES = 2
LEAST_SHARE = 0.5
"""Seconds of the shorter video that must be alike in the other one: number and share."""

Pair = tuple[str, str, str, str, str, float]
"""Split, subset and video, subset and video, share of seconds that are alike."""


def similar_videos(
    splits: Mapping[str, Sequence[Sample]],
    media: Sequence[Media],
    root: Path,
    settings: VideoSettings,
    workers: int,
) -> list[Pair]:
    """The pairs of different videos in different subsets that look alike.

    media: probed rows; these videos are compared.
    """
    small = {"frames_per_clip": RATE, "frame_size": SIDE, "interpolation": "area"}
    settings = settings.model_copy(update=small)
    with ThreadPoolExecutor(workers) as pool:
        found = pool.map(lambda row: _hashes(root / row.video, row, settings), media)
        hashes = dict(zip((row.video for row in media), found, strict=True))
    hashes = {video: bits for video, bits in hashes.items() if len(bits)}
    return [(split, *pair) for split, rows in splits.items() for pair in _pairs(rows, hashes)]


def frame_bits(frames: np.ndarray) -> np.ndarray:
    """(F, 64) hashes, +1 or -1, of the frames (N, SIDE, SIDE, 3) with enough contrast; F <= N."""
    grey = frames.mean(axis=-1).reshape(-1, ROWS, ROWS + 1, ROWS + 1, ROWS).mean(axis=(2, 4))
    grey = grey[grey.std(axis=(1, 2)) >= LEAST_CONTRAST]
    return np.where(grey[:, :, 1:] > grey[:, :, :-1], 1, -1).reshape(-1, ROWS * ROWS)


def _hashes(path: Path, media: Media, settings: VideoSettings) -> np.ndarray:
    """The hashes of a video, RATE for each clip; none if it cannot be decoded."""
    try:
        with decode_frames(path, media, settings) as clips:
            frames = list(clips)
    except DecodeError:
        frames = []
    return frame_bits(np.concatenate(frames)) if frames else np.empty((0, ROWS * ROWS))


def _pairs(samples: Iterable[Sample], hashes: Mapping[str, np.ndarray]) -> Iterator[tuple]:
    """Similar videos of one split."""
    members = {name: {} for name in SUBSETS}
    for sample in samples:
        if sample.video in hashes:
            members[sample.subset][sample.video] = hashes[sample.video]
    for first, second in combinations(SUBSETS, 2):
        if not members[first]:
            continue
        videos = list(members[first])
        sparse = [bits[::RATE] for bits in members[first].values()]
        stacked = np.concatenate(sparse)
        starts = np.cumsum([0, *map(len, sparse)])[:-1]
        for video, bits in members[second].items():
            shares = _shares(stacked.astype(np.float32), starts, bits.astype(np.float32))
            for index in np.flatnonzero(shares >= LEAST_SHARE):
                if videos[index] != video:
                    yield first, videos[index], second, video, round(float(shares[index]), 2)


def _shares(stacked: np.ndarray, starts: np.ndarray, bits: np.ndarray) -> np.ndarray:
    """For each of N videos, how much of it, or of a shorter other video, is alike; (N,) shares.

    stacked: (F, 64) hashes of the N videos, one a second. starts: (N,) first row of each.
    bits: (G, 64) hashes of the other video, RATE a second, so that a cut copy has frames alike.
    """
    alike = stacked @ bits.T >= ROWS * ROWS - 2 * ALIKE_BITS  # a product of ±1: equal - different
    matched = np.add.reduceat(alike.any(axis=1), starts, dtype=float)
    shorter = np.minimum(np.diff([*starts, len(stacked)]), len(bits) / RATE)
    return np.where(matched >= LEAST_FRAMES, np.minimum(matched / shorter, 1), 0)
