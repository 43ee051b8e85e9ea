"""Section `mistakes`: the most confident mistakes, with frames and attention over time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from mafnet.model.run_folder import Attention
from mafnet.report.page.frame_strips import FrameStrip
from mafnet.report.page.sounds import Heard
from mafnet.report.page.verdicts import Verdict
from mafnet.report.statistics.runs import Run

MAX_SCENES = 24
HEAT_LEVELS = 10


@dataclass(frozen=True)
class Score:
    """The attention on one modality in one second.

    percent: share in all seconds and modalities, mean over runs; None if the clip is padding.
    heat: 0 to HEAT_LEVELS; the largest score of the sample has HEAT_LEVELS.
    """

    percent: float | None
    heat: int


@dataclass(frozen=True)
class Second:
    """One clip: its frame as a data: URI (empty if missing), and whether the event covers it."""

    number: int
    frame: str
    event: bool
    scores: tuple[Score, ...]


@dataclass(frozen=True)
class Scene:
    """A test sample with its seconds; `problem` is the reason if there are no frames.

    heard: the sounds that the audio backbone names; empty if it names none.
    """

    verdict: Verdict
    modalities: tuple[str, ...]
    seconds: tuple[Second, ...]
    problem: str
    heard: tuple[Heard, ...]


def mean_attention(runs: Sequence[Run]) -> Attention:
    """The mean attention of the runs of one split; MafnetError if a file cannot be read."""
    found = [run.folder.read_attention() for run in runs]
    return replace(found[0], weights=np.mean([one.weights for one in found], axis=0))


def scenes(
    chosen: Sequence[Verdict],
    attention: Mapping[str, Attention],
    strips: Mapping[str, FrameStrip],
    heard: Mapping[str, tuple[Heard, ...]],
) -> list[Scene]:
    """A scene for each verdict.

    attention: by split. strips, heard: by video.
    """
    return [
        _scene(
            verdict,
            attention[verdict.split],
            strips.get(verdict.video, FrameStrip()),
            heard.get(verdict.video, ()),
        )
        for verdict in chosen
    ]


def _scene(
    verdict: Verdict, attention: Attention, strip: FrameStrip, heard: tuple[Heard, ...]
) -> Scene:
    scores, valid = attention.of(verdict.sample)  # (T, K)
    peak = float(np.max(scores, initial=0, where=valid)) or 1.0
    seconds = tuple(
        Second(
            number,
            strip.frames[number] if number < len(strip.frames) else "",
            _in_event(number, verdict.event),
            tuple(_score(*pair, peak) for pair in zip(scores[number], valid[number], strict=True)),
        )
        for number in range(len(scores))
    )
    return Scene(verdict, tuple(attention.modalities), seconds, strip.problem, heard)


def _score(score: float, valid: bool, peak: float) -> Score:
    if not valid:
        return Score(None, 0)
    return Score(100 * float(score), round(HEAT_LEVELS * float(score) / peak))


def _in_event(second: int, event: tuple[float, float] | None) -> bool:
    """True if the event fills any of the second [second, second + 1)."""
    return event is not None and event[0] < second + 1 and second < event[1]
