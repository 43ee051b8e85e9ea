"""Audio whose format changes: ffmpeg starts new filters there, and this module joins their output.

Encoders pad the first and the last packet, so the audio before a change and after it may overlap.
ffmpeg writes one after the other. So its output here has the time of each sample, and each sample
gets its place by its time.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from mafnet.video.packets import AHEAD_SECONDS, BACK_SECONDS
from mafnet.video.pipe import Pipe

TIMED = "val(0)|t"
"""The expressions of ffmpeg's `aeval`: a sample and its time in seconds."""

_BLOCK = 16_000
"""Samples that are read at once."""

_JITTER_SECONDS = 0.005
"""Smaller differences of time are rounding."""


class TimedPipe(Pipe):
    """A pipe whose command writes pairs of float64, a sample and its time; it reads as int16.

    There is silence where no sample is. Of samples that overlap, the earlier ones are kept.
    Pipe: the arguments of `Pipe`. rate: samples a second; the first one to read is at second 0.
    offsets: seconds to add to the times of each clock (`Media.clock_offsets`). That of the nearest
    place is taken. After a jump that none repairs, the audio continues.
    longest: samples to read at most.
    """

    def __init__(self, *pipe: object, rate: int, offsets: Sequence[str], longest: int) -> None:
        super().__init__(*pipe)
        self._rate, self._longest = rate, longest
        self._offsets = [0, *(round(float(offset) * rate) for offset in offsets)]
        self._position: int | None = None
        self._ready = memoryview(b"")

    def read_into(self, view: memoryview) -> int:
        """Fill `view` (bytes) with int16 samples; returns the bytes read, fewer only at the end."""
        filled = 0
        while filled < len(view) and (self._ready or self._read_block()):
            part = self._ready[: len(view) - filled]
            view[filled : filled + len(part)] = part
            self._ready = self._ready[len(part) :]
            filled += len(part)
        return filled

    def _read_block(self) -> bool:
        """Read on until samples are ready; False at the end."""
        block = np.empty((_BLOCK, 2))
        while count := super().read_into(memoryview(block).cast("B")) // block[0].nbytes:
            placed = np.concatenate(list(self._placed(*block[:count].T)))
            if len(placed):
                self._ready = memoryview(placed).cast("B")
                return True
        return False

    def _placed(self, samples: np.ndarray, times: np.ndarray) -> Iterator[np.ndarray]:
        """The samples of a block, with silence in gaps and without overlaps."""
        samples = np.rint(samples * 32768).astype(np.int16)
        places = np.rint(times * self._rate).astype(np.int64)
        breaks = np.flatnonzero(np.abs(np.diff(places) - 1) > self._rate * _JITTER_SECONDS) + 1
        for run, first in zip(np.split(samples, breaks), places[[0, *breaks]], strict=True):
            late = self._late(int(first))
            yield np.zeros(min(max(late, 0), self._longest), np.int16)
            yield run[max(-late, 0) :]
            self._position += max(late + len(run), 0)

    def _late(self, place: int) -> int:
        """Samples from the end of what was read to a place; negative if they overlap."""
        if self._position is None:
            self._position = 0
            return place
        late = min((place + offset - self._position for offset in self._offsets), key=abs)
        if abs(late) <= self._rate * _JITTER_SECONDS:
            return 0
        if not -BACK_SECONDS <= late / self._rate <= AHEAD_SECONDS:
            self._offsets.append(self._position - place)
            return 0
        return late
