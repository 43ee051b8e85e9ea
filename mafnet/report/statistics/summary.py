"""A data set's metrics: one variant over all its splits and seeds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from mafnet.common.errors import MafnetError
from mafnet.common.files import read_json
from mafnet.model.metrics import METRICS, Metric
from mafnet.model.scored import Scored
from mafnet.report.statistics.intervals import Sampled, metric_interval, resamples


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
    return Run(_read_metrics(folder / "metrics.json"), predictions, settings["features"])


def _read_metrics(path: Path) -> dict:
    """Metrics of a run; MafnetError if one is missing, as in results of an older version."""
    found = read_json(path)
    missing = [name for name in METRICS if name not in found]
    if missing:
        raise MafnetError(f"{path}: lacks {', '.join(missing)}; evaluate the run again")
    return found


def measures(runs: Sequence[Run]) -> dict[str, dict]:
    """Every metric of a variant in its unit: mean, standard deviation, 95 % interval.

    mean: over splits and seeds. std: over seeds, of the mean over splits; None with one seed.
    """
    table = pd.DataFrame([run.metrics for run in runs])
    splits = _sampled(runs)
    return {
        name: _measure(metric, table[name], table["seed"], splits)
        for name, metric in METRICS.items()
    }


def mean_of(name: str, runs: Sequence[Run]) -> float:
    """The mean of a metric over runs, without its interval."""
    return METRICS[name].rounded(np.mean([run.metrics[name] for run in runs]))


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
    keys = ("split", "seed", *METRICS, "samples")
    return [{key: run.metrics[key] for key in keys} for run in runs]


def random_weights(runs: Sequence[Run]) -> list[str]:
    """The modalities whose backbones had random weights."""
    return sorted({name for run in runs for name in run.metrics["random_weights"]})


def paper_value(table: Path, dataset: str, variant: str) -> float | None:
    """The paper's accuracy in percent for a data set and variant, None where it has none."""
    rows = pd.read_csv(table, sep="\t")
    found = rows[(rows["dataset"] == dataset) & (rows["variant"] == variant)]["accuracy"]
    return float(found.iloc[0]) if len(found) else None


def _measure(metric: Metric, values: pd.Series, seeds: pd.Series, splits: list[Sampled]) -> dict:
    """The entry of a metric; values, seeds: of each run."""
    by_seed = values.groupby(seeds).mean()
    interval = metric_interval(metric, values.mean(), splits)
    return {
        "mean": metric.rounded(values.mean()),
        "std": metric.rounded(by_seed.std(ddof=1)) if len(by_seed) > 1 else None,
        "ci95": [interval.low, interval.high],
        "ci_method": interval.method,
    }


def _sampled(runs: Sequence[Run]) -> list[Sampled]:
    """The runs of each split, and the resamples of the split's test samples."""
    by_split: dict[str, list[Scored]] = {}
    for run in runs:
        by_split.setdefault(run.metrics["split"], []).append(scored_by(run))
    counts = resamples([len(group[0].labels) for group in by_split.values()])
    return [Sampled(group, drawn) for group, drawn in zip(by_split.values(), counts, strict=True)]


def scored_by(run: Run) -> Scored:
    """The test samples of a run with its probabilities."""
    classes = list(run.metrics["per_class"])
    index = {name: number for number, name in enumerate(classes)}
    labels = run.predictions["label"].map(index).to_numpy()
    return Scored(labels, probabilities_of(run), run.metrics["top_k"])


def probabilities_of(run: Run) -> np.ndarray:
    """(S, C) of a run; MafnetError if its predictions lack the column of a class."""
    try:
        return run.predictions[[f"p({name})" for name in run.metrics["per_class"]]].to_numpy(float)
    except (KeyError, ValueError) as error:
        raise MafnetError(
            f"predictions of split {run.metrics['split']}: {error}; evaluate the runs again"
        ) from error


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
