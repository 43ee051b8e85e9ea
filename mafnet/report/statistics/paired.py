"""The difference of two variants on the same seeds and test samples.

Random effects that both variants share cancel in the difference.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mafnet.common.errors import MafnetError
from mafnet.model.metrics import percent
from mafnet.model.predictions import PredictionTable
from mafnet.report.statistics.intervals import Interval
from mafnet.report.statistics.runs import Run, grouped
from mafnet.report.statistics.two_way import Estimate, two_way


@dataclass(frozen=True)
class Comparison:
    """The difference in accuracy of two variants: a share, -1 to 1.

    runs: number of pairs of runs with the same split and seed.
    """

    estimate: Estimate
    runs: int

    @property
    def difference(self) -> float:
        """The difference in percentage points."""
        return percent(self.estimate.mean)

    @property
    def interval(self) -> Interval:
        """The 95 % interval of the difference in percentage points."""
        mean, half = self.estimate.mean, self.estimate.half_width
        low, high = percent(max(-1.0, mean - half)), percent(min(1.0, mean + half))
        return Interval(low, high, self.estimate.method)


def compare(runs: Sequence[Run], others: Sequence[Run]) -> Comparison | None:
    """The first runs minus the others; None if no two have the same split and seed.

    MafnetError if the runs of a pair have different test samples.
    """
    partners = {(run.split, run.seed): run for run in others}
    paired = [run for run in runs if (run.split, run.seed) in partners]
    if not paired:
        return None
    differences = [
        np.array([_differences(run, partners[run.split, run.seed]) for run in group])
        for group in grouped(paired, "split").values()
    ]
    return Comparison(two_way(differences), len(paired))


def holm(p_values: Sequence[float]) -> list[float]:
    """P values adjusted for their number by Holm's method (Scand. J. Statist. 6, 1979)."""
    order = np.argsort(p_values, kind="stable")
    factors = len(p_values) - np.arange(len(p_values))
    adjusted = np.minimum(np.maximum.accumulate(factors * np.asarray(p_values)[order]), 1)
    return adjusted[np.argsort(order, kind="stable")].tolist()


def _differences(run: Run, other: Run) -> np.ndarray:
    """(S,) 1 if only the first run is right, -1 if only the other is right, else 0."""
    if run.predictions.samples != other.predictions.samples:
        raise MafnetError(
            f"{_name(run)} and {_name(other)} have different test samples; evaluate both again"
        )
    return _right(run.predictions) - _right(other.predictions)


def _name(run: Run) -> str:
    return f"{run.variant} (split {run.split}, seed {run.seed})"


def _right(predictions: PredictionTable) -> np.ndarray:
    """(S,) 1 if the prediction is right, else 0."""
    return (predictions.predicted == predictions.labels).astype(int)
