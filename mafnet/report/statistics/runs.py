"""Evaluated runs in memory, and functions that group them."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np

from mafnet.common.errors import MafnetError
from mafnet.model.metrics import METRICS
from mafnet.model.predictions import PredictionTable
from mafnet.model.run_folder import RunFolder
from mafnet.model.settings import RunSettings

Item = TypeVar("Item")


@dataclass(frozen=True)
class Run:
    """An evaluated run. Attention, history and weights are read from `folder` when needed.

    metrics: content of metrics.json.
    """

    folder: RunFolder
    settings: RunSettings
    metrics: dict
    predictions: PredictionTable

    @property
    def split(self) -> str:
        """The split that the run was trained and tested on."""
        return self.metrics["split"]

    @property
    def variant(self) -> str:
        """The name of the variant."""
        return self.metrics["variant"]

    @property
    def seed(self) -> int:
        """The seed of the run."""
        return self.metrics["seed"]


def read_run(path: Path) -> Run:
    """Read the settings, metrics and predictions of a run.

    MafnetError if a metric is missing, or if the files belong to different runs.
    """
    folder = RunFolder(path)
    metrics, predictions = folder.read_metrics(), folder.read_predictions()
    if missing := [name for name in METRICS if name not in metrics]:
        raise MafnetError(f"{folder.metrics}: has no {', '.join(missing)}; evaluate the run again")
    if metrics.get("settings") != folder.settings_digest:
        raise MafnetError(
            f"{folder.metrics}: belongs to another run than {folder.settings}; delete both and run "
            "the same command again"
        )
    if list(metrics["per_class"]) != list(predictions.classes):
        raise MafnetError(
            f"{folder.predictions}: its classes are not those of {folder.metrics.name}; evaluate "
            "the run again"
        )
    return Run(folder, folder.read_settings(), metrics, predictions)


def grouped(items: Iterable[Item], attribute: str) -> dict:
    """The items by an attribute (`split`, `seed`, `variant`), as lists.

    Groups and the items of a group are in the order of the items.
    """
    groups: dict = {}
    for item in items:
        groups.setdefault(getattr(item, attribute), []).append(item)
    return groups


def seed_means(runs: Iterable[Run], measure: Callable[[Run], float | None]) -> list[float]:
    """A value of each seed: its mean over the splits. Splits with None are left out."""
    values = ([measure(run) for run in group] for group in grouped(runs, "seed").values())
    known = ([value for value in group if value is not None] for group in values)
    return [float(np.mean(group)) for group in known if group]


def count_test_samples(runs: Sequence[Run]) -> int:
    """The number of different test samples of all splits."""
    return sum(test_samples(runs).values())


def test_samples(runs: Sequence[Run]) -> dict[str, int]:
    """The number of different test samples of each class in all splits.

    The runs of a split have the same samples. A sample of several splits, with the same name and
    group, counts once.
    """
    tables = [group[0].predictions for group in grouped(runs, "split").values()]
    found = {
        row
        for table in tables
        for row in zip(table.samples, table.groups, table.labels.tolist(), strict=True)
    }
    counts = Counter(label for _, _, label in found)
    return {name: counts[index] for index, name in enumerate(tables[0].classes)}
