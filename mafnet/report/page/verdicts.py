"""What all runs of the main variant say of each test sample."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from mafnet.common.errors import MafnetError
from mafnet.dataset.manifest import Sample
from mafnet.report.statistics.summary import Run, probabilities_of

TOP = 3
"""Classes that are named beside a mistake."""


@dataclass(frozen=True)
class Verdict:
    """One test sample of one split.

    predicted: the class that most runs chose; among equals the more probable one.
    probability: of that class, mean over runs, 0 to 1.
    own_probability: of the label, mean over runs, 0 to 1.
    choices: of the runs, in their order.
    right: how many of them are the label.
    top: the most probable classes, mean over runs, with their probabilities.
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

    @property
    def wrong(self) -> bool:
        """True if the class that most runs chose is not the label."""
        return self.predicted != self.label

    @property
    def outcome(self) -> str:
        """`right` or `wrong` where all runs agree on that, else `mixed`."""
        if self.right == len(self.choices):
            return "right"
        return "mixed" if self.right else "wrong"


def by_split(runs: Sequence[Run]) -> dict[str, list[Run]]:
    """The runs of each split."""
    groups: dict[str, list[Run]] = {}
    for run in runs:
        groups.setdefault(run.metrics["split"], []).append(run)
    return groups


def verdicts(runs: Sequence[Run], samples: Mapping[str, Mapping[str, Sample]]) -> list[Verdict]:
    """One a test sample and split, in the order of the predictions.

    samples: the rows of each split's manifest, by sample name.
    """
    return [
        verdict
        for split, group in by_split(runs).items()
        for verdict in _of_split(split, group, samples.get(split, {}))
    ]


def _of_split(split: str, runs: Sequence[Run], samples: Mapping[str, Sample]) -> list[Verdict]:
    classes = list(runs[0].metrics["per_class"])
    tables = [_same_samples(run, runs[0]) for run in runs]
    probabilities = np.mean([probabilities_of(run) for run in runs], axis=0)
    choices = np.array([table["predicted"] for table in tables]).T  # (S, R)
    rows = zip(tables[0]["sample"], tables[0]["label"], choices, probabilities, strict=True)
    index = {name: number for number, name in enumerate(classes)}
    return [
        _verdict(samples.get(name, Sample(name, "", label, "test")), split, chosen, row, index)
        for name, label, chosen, row in rows
    ]


def _same_samples(run: Run, first: Run) -> pd.DataFrame:
    """A run's predictions; MafnetError if they are not of the samples of the first run."""
    if not run.predictions["sample"].equals(first.predictions["sample"]):
        raise MafnetError(
            f"split {run.metrics['split']}: seeds {first.metrics['seed']} and "
            f"{run.metrics['seed']} have other test samples; evaluate both again"
        )
    return run.predictions


def _verdict(
    sample: Sample, split: str, choices: np.ndarray, probabilities: np.ndarray, index: Mapping
) -> Verdict:
    """choices: (R,) names. probabilities: (C,) mean over runs. index: of each class."""
    names, counts = np.unique(choices, return_counts=True)
    often = [str(name) for name in names[counts == counts.max()]]
    predicted = max(often, key=lambda name: probabilities[index[name]])
    classes = list(index)
    best = np.argsort(-probabilities, kind="stable")[:TOP]
    return Verdict(
        split, sample.sample, sample.video, sample.label, sample.event, predicted,
        float(probabilities[index[predicted]]), float(probabilities[index[sample.label]]),
        tuple(map(str, choices)), int(np.sum(choices == sample.label)),
        tuple((classes[place], float(probabilities[place])) for place in best),
    )  # fmt: skip


def most_confident_mistakes(found: Sequence[Verdict]) -> list[Verdict]:
    """The wrong ones, the surest first."""
    wrong = [verdict for verdict in found if verdict.wrong]
    return sorted(wrong, key=lambda verdict: -verdict.probability)


def least_sure_hits(found: Sequence[Verdict]) -> list[Verdict]:
    """The right ones, the least sure first."""
    hits = [verdict for verdict in found if not verdict.wrong]
    return sorted(hits, key=lambda verdict: verdict.probability)
