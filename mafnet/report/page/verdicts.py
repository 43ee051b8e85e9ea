"""The predictions of all runs of the main variant for each test sample."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from mafnet.common.errors import MafnetError
from mafnet.dataset.manifest import Sample
from mafnet.model.predictions import PredictionTable
from mafnet.report.statistics.runs import Run, grouped
from mafnet.video.media import Media
from mafnet.video.status import MediaWarning

SOUNDLESS = (MediaWarning.NO_AUDIO, MediaWarning.SILENT)
"""Warnings that explain why the audio of a video did not help."""

TOP = 3
"""Number of classes that are listed for a mistake."""


@dataclass(frozen=True)
class Verdict:
    """One test sample of one split.

    predicted: the class that most runs predicted; of equally frequent ones the most probable.
    probability: of `predicted`, mean over runs, 0 to 1.
    own_probability: of the label, mean over runs, 0 to 1.
    choices: predicted class of each run, in the order of the runs.
    right: number of runs whose choice is the label.
    top: the most probable classes with their probabilities, mean over runs.
    sound: the warning that its audio says nothing, see SOUNDLESS; empty if it has sound.
    """

    split: str
    sample: str
    video: str
    label: str
    event: tuple[float, float] | None
    predicted: str
    probability: float
    own_probability: float
    choices: tuple[str, ...]
    right: int
    top: tuple[tuple[str, float], ...]
    sound: str = ""

    @property
    def wrong(self) -> bool:
        """True if `predicted` is not the label."""
        return self.predicted != self.label

    @property
    def outcome(self) -> str:
        """`right` or `wrong` if it holds for all runs, else `mixed`."""
        if self.right == len(self.choices):
            return "right"
        return "mixed" if self.right else "wrong"


def verdicts(runs: Sequence[Run], samples: Mapping[str, Mapping[str, Sample]]) -> list[Verdict]:
    """One verdict for each split and test sample, in the order of the predictions.

    samples: the rows of each split's manifest, by sample name.
    """
    return [
        verdict
        for split, group in grouped(runs, "split").items()
        for verdict in _of_split(split, group, samples.get(split, {}))
    ]


def _of_split(split: str, runs: Sequence[Run], samples: Mapping[str, Sample]) -> list[Verdict]:
    found = [_same_samples(run, runs[0]) for run in runs]
    first = found[0]
    probabilities = np.mean([one.probabilities for one in found], axis=0)  # (S, C)
    choices = np.array([one.predicted for one in found]).T  # (S, R)
    rows = zip(first.samples, first.labels, choices, probabilities, strict=True)
    return [
        _verdict(
            samples.get(name, Sample(name, "", first.classes[label], "test")),
            split, int(label), chosen, row, first.classes,
        )
        for name, label, chosen, row in rows
    ]  # fmt: skip


def _same_samples(run: Run, first: Run) -> PredictionTable:
    """A run's predictions; MafnetError if its samples differ from those of the first run."""
    if run.predictions.samples != first.predictions.samples:
        raise MafnetError(
            f"split {run.split}: seeds {first.seed} and {run.seed} have different test samples; "
            "evaluate both again"
        )
    return run.predictions


def _verdict(
    sample: Sample, split: str, label: int, choices: np.ndarray, probabilities: np.ndarray,
    classes: Sequence[str],
) -> Verdict:  # fmt: skip
    """choices: (R,) class indices. probabilities: (C,) mean over runs."""
    indices, counts = np.unique(choices, return_counts=True)
    often = indices[counts == counts.max()]
    predicted = max(often, key=lambda index: probabilities[index])
    best = np.argsort(-probabilities, kind="stable")[:TOP]
    return Verdict(
        split, sample.sample, sample.video, sample.label, sample.event, classes[predicted],
        float(probabilities[predicted]), float(probabilities[label]),
        tuple(classes[index] for index in choices), int(np.sum(choices == label)),
        tuple((classes[index], float(probabilities[index])) for index in best),
    )  # fmt: skip


def with_sound(found: Iterable[Verdict], media: Iterable[Media]) -> list[Verdict]:
    """The verdicts with the mark of videos without sound."""
    sound = {row.video: name for row in media for name in SOUNDLESS if name in row.warnings}
    return [replace(one, sound=str(sound.get(one.video, ""))) for one in found]


def most_confident_mistakes(found: Sequence[Verdict]) -> list[Verdict]:
    """The wrong verdicts, the most probable first."""
    wrong = [verdict for verdict in found if verdict.wrong]
    return sorted(wrong, key=lambda verdict: -verdict.probability)


def least_sure_hits(found: Sequence[Verdict]) -> list[Verdict]:
    """The right verdicts, the least probable first."""
    hits = [verdict for verdict in found if not verdict.wrong]
    return sorted(hits, key=lambda verdict: verdict.probability)
