"""Sound around each clip, for networks that hear more than one second."""

import math
from collections import deque
from collections.abc import Iterable, Iterator
from itertools import chain, repeat

import numpy as np

from mafnet.video.config import VideoSettings


def windows(clips: Iterable[np.ndarray], settings: VideoSettings) -> Iterator[np.ndarray]:
    """The window of `settings.window_seconds` that is centred on each clip (S,), as (W,).

    Before the first and after the last clip is silence. Only as many clips as a window has are in
    memory.
    """
    rate = settings.sample_rate
    length = round(settings.window_seconds * rate)
    before = (length - rate) // 2
    if length == rate:
        yield from clips
        return
    sides = max(0, math.ceil((length - rate) / 2 / rate))
    silence = np.zeros(rate, np.int16)
    padded = chain(repeat(silence, sides), clips, repeat(silence, sides))
    near: deque[np.ndarray] = deque(maxlen=2 * sides + 1)
    start = sides * rate - before
    for clip in padded:
        near.append(clip)
        if len(near) == near.maxlen:
            yield np.concatenate(near)[start : start + length]
