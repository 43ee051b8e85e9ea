"""A data set's metrics: one variant over all its splits and seeds."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from mafnet.common.errors import MafnetError
from mafnet.common.files import read_json
from mafnet.model.metrics import balanced_accuracy, macro_f1
from mafnet.report.statistics.intervals import Interval, bootstrap, wilson

MEASURES = ("accuracy", "balanced_accuracy", "top5", "macro_f1")
STATISTICS: dict[str, Callable] = {"balanced_accuracy": balanced_accuracy, "macro_f1": macro_f1}


@dataclass(frozen=True)
class Run:
    """One finished run, as its folder holds it."""

    metrics: dict
    predictions: pd.DataFrame
    features: dict[str, dict]


def read_run(folder: Path) -> Run:
    """Read a run's metrics, predictions and the fingerprints of its features."""
    path = folder / "predictions.csv"
    try:
        predictions = pd.read_csv(path, dtype=str, keep_default_na=False)
    except (OSError, ValueError) as error:
        raise MafnetError(f"{path}: cannot be read ({error}); evaluate the run again") from error
    settings = read_json(folder / "settings.json")
    return Run(read_json(folder / "metrics.json"), predictions, settings["features"])


def measures(runs: Sequence[Run]) -> dict[str, dict]:
    """Every measure of a variant in percent: mean, standard deviation, 95 % interval.

    mean: over splits and seeds. std: over seeds, of the mean over splits; None with one seed.
    """
    table = pd.DataFrame([run.metrics for run in runs])
    return {name: _measure(name, table, runs) for name in MEASURES}


def per_class(runs: Sequence[Run]) -> dict[str, dict]:
    """Each class's share found, mean over runs in percent, and its test samples in all splits."""
    result = {}
    for name in runs[0].metrics["per_class"]:
        entries = [run.metrics["per_class"][name] for run in runs]
        found = [entry["accuracy"] for entry in entries if entry["accuracy"] is not None]
        splits = [run.metrics["split"] for run in runs]
        samples = {split: entry["samples"] for split, entry in zip(splits, entries, strict=True)}
        accuracy = round(float(np.mean(found)), 2) if found else None
        result[name] = {"accuracy": accuracy, "samples": sum(samples.values())}
    return result


def run_rows(runs: Sequence[Run]) -> list[dict]:
    """One row a run."""
    keys = ("split", "seed", *MEASURES, "samples")
    return [{key: run.metrics[key] for key in keys} for run in runs]


def random_weights(runs: Sequence[Run]) -> list[str]:
    """The modalities whose backbones had random weights."""
    return sorted({name for run in runs for name in run.metrics["random_weights"]})


def paper_value(table: Path, dataset: str, variant: str) -> float | None:
    """The paper's accuracy in percent for a data set and variant, None where it has none."""
    rows = pd.read_csv(table, sep="\t")
    found = rows[(rows["dataset"] == dataset) & (rows["variant"] == variant)]["accuracy"]
    return float(found.iloc[0]) if len(found) else None


def _measure(name: str, table: pd.DataFrame, runs: Sequence[Run]) -> dict:
    """One measure's entry."""
    by_seed = table.groupby("seed")[name].mean()
    mean = float(table[name].mean())
    interval = _interval(name, mean, runs)
    return {
        "mean": round(mean, 2),
        "std": round(float(by_seed.std(ddof=1)), 2) if len(by_seed) > 1 else None,
        "ci95": [interval.low, interval.high],
        "ci_method": interval.method,
    }


def _interval(name: str, mean: float, runs: Sequence[Run]) -> Interval:
    """Shares of samples get Wilson's interval, other measures a bootstrap."""
    by_split: dict[str, list[Run]] = {}
    for run in runs:
        by_split.setdefault(run.metrics["split"], []).append(run)
    if name not in STATISTICS:
        samples = sum(group[0].metrics["samples"] for group in by_split.values())
        return wilson(mean / 100, samples)
    classes = list(runs[0].metrics["per_class"])
    labels, predicted = zip(*(_indices(group, classes) for group in by_split.values()), strict=True)
    return bootstrap(list(labels), list(predicted), len(classes), STATISTICS[name])


def _indices(runs: Sequence[Run], classes: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Labels (S,) and predictions (R, S) of the runs of one split, as class indices."""
    index = {name: number for number, name in enumerate(classes)}
    labels = runs[0].predictions["label"].map(index).to_numpy()
    predicted = [run.predictions["predicted"].map(index).to_numpy() for run in runs]
    return labels, np.array(predicted)


def describe_weights(runs: Sequence[Run]) -> dict[str, dict]:
    """Name, sha256 and whether they are random, of each modality's weights."""
    features: Mapping[str, dict] = runs[0].features
    return {
        name: {
            "backbone": print_["backbone"],
            "weights": print_["weights"],
            "sha256": print_["weights_sha256"],
            "random": print_["weights"] == "random",
            "precision": print_["precision"],
        }
        for name, print_ in features.items()
    }


def summarise(runs: Sequence[Run]) -> dict:
    """What all runs of one variant say together."""
    return {**measures(runs), "per_class": per_class(runs), "runs": run_rows(runs)}
