"""The worst mistakes second by second: a frame, and the attention that each modality got."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from mafnet.report.figures.inputs import Attention, read_attention
from mafnet.report.page.frames import Thumbnails
from mafnet.report.page.verdicts import Verdict

MAX_SCENES = 24
HEAT_LEVELS = 10


@dataclass(frozen=True)
class Score:
    """The attention that one modality got in one second.

    percent: of all seconds and modalities together, mean over runs; None where a clip is padding.
    heat: 0 to HEAT_LEVELS, HEAT_LEVELS being the sample's largest.
    """

    percent: float | None
    heat: int


@dataclass(frozen=True)
class Second:
    """One clip: its frame as a data: URI, empty if there is none; whether it is in the event."""

    number: int
    frame: str
    event: bool
    scores: tuple[Score, ...]


@dataclass(frozen=True)
class Scene:
    """A test sample with its seconds; `problem` says why there are no frames."""

    verdict: Verdict
    modalities: tuple[str, ...]
    seconds: tuple[Second, ...]
    problem: str


def mean_attention(folders: Sequence[Path]) -> Attention:
    """The mean attention of the runs of one split; MafnetError if a file cannot be read."""
    found = [read_attention(folder) for folder in folders]
    return replace(found[0], weights=np.mean([one.weights for one in found], axis=0))


def scenes(
    chosen: Sequence[Verdict],
    attention: Mapping[str, Attention],
    thumbnails: Mapping[str, Thumbnails],
) -> list[Scene]:
    """A scene of each verdict.

    attention: by split. thumbnails: by video.
    """
    return [
        _scene(verdict, attention[verdict.split], thumbnails.get(verdict.video, Thumbnails()))
        for verdict in chosen
    ]


def _scene(verdict: Verdict, attention: Attention, shown: Thumbnails) -> Scene:
    scores, valid = attention.of(verdict.sample)  # (T, K)
    peak = float(np.max(scores, initial=0, where=valid)) or 1.0
    seconds = tuple(
        Second(
            number,
            shown.frames[number] if number < len(shown.frames) else "",
            _in_event(number, verdict.event),
            tuple(_score(*pair, peak) for pair in zip(scores[number], valid[number], strict=True)),
        )
        for number in range(len(scores))
    )
    return Scene(verdict, tuple(attention.modalities), seconds, shown.problem)


def _score(score: float, valid: bool, peak: float) -> Score:
    if not valid:
        return Score(None, 0)
    return Score(100 * float(score), round(HEAT_LEVELS * float(score) / peak))


def _in_event(second: int, event: tuple[float, float] | None) -> bool:
    """True if the event fills any of the second [second, second + 1)."""
    return event is not None and event[0] < second + 1 and second < event[1]
