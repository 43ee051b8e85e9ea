"""The parts of a recording that have a label, from the scores of each second."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Segment:
    """A part of a recording, in seconds, with the mean score of its label, 0 to 1."""

    start: int
    end: int
    label: str
    score: float


@dataclass(frozen=True)
class WindowScores:
    """The probabilities in a recording of S seconds. classes: names (C,). scores: (S, C)."""

    video: str
    classes: tuple[str, ...]
    scores: np.ndarray

    def segments(self, high: float = 0.5, low: float = 0.3) -> list[Segment]:
        """The parts of `segments_of`, in the order of their starts."""
        found = segments_of(self.scores, self.classes, high, low)
        return sorted(found, key=lambda each: (each.start, -each.score))


@dataclass
class _Open:
    """A segment that has not ended: the sum and the highest of its scores."""

    start: int
    total: float = 0.0
    highest: float = 0.0


def segments_of(
    scores: Iterable[np.ndarray], classes: Sequence[str], high: float = 0.5, low: float = 0.3
) -> Iterator[Segment]:
    """The parts where a class has a score of `low` or more, and somewhere `high` or more.

    The two limits (hysteresis) keep a score near one limit from making many short parts.
    scores: (C,) of each second. Each part comes when it has ended; memory does not grow.
    """
    current: dict[int, _Open] = {}
    second = -1
    for second, row in enumerate(scores):
        for index in np.flatnonzero(row >= low).tolist():
            part = current.setdefault(index, _Open(second))
            part.total += float(row[index])
            part.highest = max(part.highest, float(row[index]))
        for index in [index for index in current if row[index] < low]:
            yield from _ended(current.pop(index), second, classes[index], high)
    for index, part in current.items():
        yield from _ended(part, second + 1, classes[index], high)


def _ended(part: _Open, end: int, label: str, high: float) -> Iterator[Segment]:
    """The segment of a part, if its score is high somewhere."""
    if part.highest >= high:
        yield Segment(part.start, end, label, part.total / (end - part.start))
