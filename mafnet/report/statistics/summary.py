"""A data set's metrics: one variant over all its splits and seeds."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from mafnet.model.metrics import balanced_accuracy, macro_f1
from mafnet.report.statistics.intervals import Interval, bootstrap, wilson
from mafnet.report.statistics.runs import Run, count_test_samples, grouped, seed_means

MEASURES = ("accuracy", "balanced_accuracy", "top5", "macro_f1")
STATISTICS: dict[str, Callable] = {"balanced_accuracy": balanced_accuracy, "macro_f1": macro_f1}


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
        first = [group[0].metrics["per_class"][name] for group in grouped(runs, "split").values()]
        accuracy = round(float(np.mean(found)), 2) if found else None
        result[name] = {"accuracy": accuracy, "samples": sum(entry["samples"] for entry in first)}
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
    by_seed = seed_means(runs, lambda run: run.metrics[name])
    mean = float(table[name].mean())
    interval = _interval(name, mean, runs)
    return {
        "mean": round(mean, 2),
        "std": round(float(np.std(by_seed, ddof=1)), 2) if len(by_seed) > 1 else None,
        "ci95": [interval.low, interval.high],
        "ci_method": interval.method,
    }


def _interval(name: str, mean: float, runs: Sequence[Run]) -> Interval:
    """Shares of samples get Wilson's interval, other measures a bootstrap."""
    if name not in STATISTICS:
        return wilson(mean / 100, count_test_samples(runs))
    groups = list(grouped(runs, "split").values())
    labels = [group[0].predictions.labels for group in groups]
    predicted = [np.array([run.predictions.predicted for run in group]) for group in groups]
    classes = len(runs[0].predictions.classes)
    return bootstrap(labels, predicted, classes, STATISTICS[name])


def describe_weights(runs: Sequence[Run]) -> dict[str, dict]:
    """Name, sha256 and whether they are random, of each modality's weights."""
    features: Mapping[str, dict] = runs[0].settings.features
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
