"""A variant beside another on the same seeds and test samples: what chance both share cancels."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from mafnet.common.errors import MafnetError
from mafnet.model.metrics import percent
from mafnet.report.statistics.intervals import Interval, paired_bootstrap
from mafnet.report.statistics.summary import Run


@dataclass(frozen=True)
class Comparison:
    """How many points of accuracy a variant is above another.

    interval: of the difference. runs: pairs of runs, of the same split and seed, that it rests on.
    """

    difference: float
    interval: Interval
    runs: int


def compare(runs: Sequence[Run], others: Sequence[Run]) -> Comparison | None:
    """The first runs compared with the others; None where no two have split and seed in common.

    MafnetError if two runs of a pair have other test samples.
    """
    other = {_key(run): run for run in others}
    pairs = [(run, other[_key(run)]) for run in runs if _key(run) in other]
    if not pairs:
        return None
    by_split: dict[str, list[np.ndarray]] = {}
    for pair in pairs:
        by_split.setdefault(pair[0].metrics["split"], []).append(_differences(*pair))
    differences = [np.array(group) for group in by_split.values()]
    mean = np.mean([group.mean() for group in differences])
    return Comparison(percent(mean), paired_bootstrap(differences), len(pairs))


def _key(run: Run) -> tuple[str, int]:
    return run.metrics["split"], run.metrics["seed"]


def _differences(run: Run, other: Run) -> np.ndarray:
    """(S,) 1 where only the first is right, -1 where only the other is, else 0."""
    if not run.predictions["sample"].equals(other.predictions["sample"]):
        raise MafnetError(
            f"{_name(run)} and {_name(other)} have other test samples; evaluate both again"
        )
    return _right(run.predictions) - _right(other.predictions)


def _name(run: Run) -> str:
    return "{variant} (split {split}, seed {seed})".format(**run.metrics)


def _right(predictions: pd.DataFrame) -> np.ndarray:
    """(S,) 1 where a prediction is right, else 0."""
    return (predictions["predicted"] == predictions["label"]).to_numpy(int)
