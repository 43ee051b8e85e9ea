"""The difference of two variants on the same seeds and test samples.

Random effects that both variants share cancel in the difference.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from mafnet.common.errors import MafnetError
from mafnet.model.metrics import percent
from mafnet.model.predictions import PredictionTable
from mafnet.report.statistics.groups import by_group, grouping, overlap
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

    Rows of the two-way table are seeds, columns are groups of test samples. Splits are independent
    tables with equal weights. If they have groups in common they are one table, of the seeds that
    all splits have. MafnetError if the runs of a pair have different test samples.
    """
    partners = {(run.split, run.seed): run for run in others}
    paired = [run for run in runs if (run.split, run.seed) in partners]
    if not paired:
        return None
    pairs = {
        split: {run.seed: (run, partners[split, run.seed]) for run in group}
        for split, group in grouped(paired, "split").items()
    }
    groups = grouping([next(iter(pair.values()))[0].predictions.groups for pair in pairs.values()])
    if not overlap(groups):
        found = {split: _table(own.values()) for split, own in pairs.items()}
        tables = [by_group([one], [own]) for one, own in zip(found.values(), groups, strict=True)]
        return Comparison(two_way(tables), len(paired))
    seeds = sorted(set.intersection(*(set(own) for own in pairs.values())))
    if seeds:
        values = [_table(own[seed] for seed in seeds) for own in pairs.values()]
        return Comparison(two_way([by_group(values, groups)]), len(seeds) * len(pairs))
    # No seed has all splits: seeds and splits cannot be told apart.
    values = [_table(own.values()).mean(axis=0, keepdims=True) for own in pairs.values()]
    return Comparison(two_way([by_group(values, groups)]), len(paired))


def _table(pairs: Iterable[tuple[Run, Run]]) -> np.ndarray:
    """(R, S) differences of R pairs of runs."""
    return np.array([_differences(run, other) for run, other in pairs])


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
