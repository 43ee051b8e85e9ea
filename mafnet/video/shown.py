"""The frame that a player shows at each of some times, scaled to each wanted size."""

from bisect import bisect_right
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from av.video.frame import VideoFrame

EARLY_SECONDS = 0.0005
"""A frame that starts this little after a time is the frame of this time: stamps are rounded."""

Size = tuple[int, int]
Wanted = Mapping[float, set[Size]]


class Shown:
    """Collects the frame that a player shows at each of some times, in ascending order."""

    def __init__(
        self,
        times: list[float],
        wanted: Wanted,
        rotation: int,
        found: dict[tuple[float, Size], np.ndarray],
    ) -> None:
        self._times, self._wanted, self._found = times, wanted, found
        self._turns = rotation // 90 % 4
        self._next = 0
        self._frame: VideoFrame | None = None

    @property
    def complete(self) -> bool:
        """True if every time has its frame."""
        return self._next == len(self._times)

    def add(self, seconds: float, frame: "VideoFrame") -> None:
        """The next frame, which starts at `seconds`: the frame before it ends there."""
        until = bisect_right(self._times, seconds - EARLY_SECONDS, self._next)
        self._keep(until, self._frame or frame)
        self._frame = frame

    def finish(self, last: "VideoFrame | None") -> None:
        """The remaining times have the last frame."""
        self._keep(len(self._times), self._frame or last)

    def _keep(self, until: int, frame: "VideoFrame | None") -> None:
        times, self._next = self._times[self._next : until], until
        pixels: dict[Size, np.ndarray] = {}
        for time in times if frame else ():
            for size in self._wanted[time]:
                if size not in pixels:
                    pixels[size] = _scaled(frame, size, self._turns)
                self._found[time, size] = pixels[size]


def _scaled(frame: "VideoFrame", size: Size, turns: int) -> np.ndarray:
    """(height, width, 3) uint8 RGB, turned as a player does."""
    import av

    height, width = size if turns % 2 == 0 else size[::-1]
    kinds = av.video.reformatter.Interpolation
    # The flags of the other decoding: without them the result differs between machines.
    exact = kinds.ACCURATE_RND | kinds.FULL_CHR_H_INT | kinds.FULL_CHR_H_INP | kinds.BITEXACT
    how = kinds.BILINEAR | exact
    scaled = frame.reformat(width, height, "rgb24", interpolation=how, threads=1)
    return np.rot90(scaled.to_ndarray(), turns)
