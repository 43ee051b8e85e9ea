"""The difference of two variants on the same seeds and test samples.

Random effects that both variants share cancel in the difference.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mafnet.common.errors import MafnetError
from mafnet.model.metrics import percent
from mafnet.model.run_folder import PredictionTable
from mafnet.report.statistics.intervals import Interval, paired_bootstrap
from mafnet.report.statistics.runs import Run, grouped


@dataclass(frozen=True)
class Comparison:
    """The difference in accuracy of two variants, in percentage points.

    interval: of the difference. runs: number of pairs of runs with the same split and seed.
    """

    difference: float
    interval: Interval
    runs: int


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
    mean = np.mean([group.mean() for group in differences])
    return Comparison(percent(mean), paired_bootstrap(differences), len(paired))


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
