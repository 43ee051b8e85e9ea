"""A data set's metrics: one variant over all splits and seeds."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from mafnet.model.metrics import METRICS, Metric
from mafnet.model.scored import Scored
from mafnet.report.statistics.intervals import Sampled, metric_interval, resamples
from mafnet.report.statistics.runs import Run, grouped, seed_means


def metric_summaries(runs: Sequence[Run]) -> dict[str, dict | None]:
    """Every metric of a variant in its unit: mean, standard deviation, 95 % interval.

    mean: over splits and seeds. std: over seeds, of the mean over splits; None with one seed.
    The entry is None if the metric has no meaning for the runs.
    """
    splits = _sampled(runs)
    return {name: _summary(name, metric, runs, splits) for name, metric in METRICS.items()}


def mean_of(name: str, runs: Sequence[Run]) -> float:
    """The mean of a metric over runs, without its interval."""
    return METRICS[name].rounded(np.mean([run.metrics[name] for run in runs]))


def per_class(runs: Sequence[Run]) -> dict[str, dict]:
    """Each class's recall, mean over runs in percent, and its test samples in all splits."""
    result = {}
    for name in runs[0].metrics["per_class"]:
        entries = [run.metrics["per_class"][name] for run in runs]
        found = [entry["accuracy"] for entry in entries if entry["accuracy"] is not None]
        first = [group[0].metrics["per_class"][name] for group in grouped(runs, "split").values()]
        accuracy = round(float(np.mean(found)), 2) if found else None
        result[name] = {"accuracy": accuracy, "samples": sum(entry["samples"] for entry in first)}
    return result


def run_rows(runs: Sequence[Run]) -> list[dict]:
    """One row for each run."""
    keys = ("split", "seed", *METRICS, "samples")
    return [{key: run.metrics[key] for key in keys} for run in runs]


def random_weights(runs: Sequence[Run]) -> list[str]:
    """The modalities whose backbones had random weights."""
    return sorted({name for run in runs for name in run.metrics["random_weights"]})


def precisions(runs: Sequence[Run]) -> list[str]:
    """The precisions of the runs."""
    return sorted({run.metrics["precision"] for run in runs})


def devices(runs: Sequence[Run]) -> list[str]:
    """The devices of the trainings, with their cards."""
    return sorted({run.metrics["trained_on"] or "unknown" for run in runs})


def validation_accuracy(runs: Sequence[Run]) -> float:
    """Mean accuracy on the validation subset over splits and seeds, in percent."""
    return round(float(np.mean([run.metrics["val_accuracy"] for run in runs])), 2)


def paper_value(table: Path, dataset: str, variant: str) -> float | None:
    """The paper's accuracy in percent for a data set and variant, None if it has none."""
    rows = pd.read_csv(table, sep="\t")
    found = rows[(rows["dataset"] == dataset) & (rows["variant"] == variant)]["accuracy"]
    return float(found.iloc[0]) if len(found) else None


def _summary(name: str, metric: Metric, runs: Sequence[Run], splits: list[Sampled]) -> dict | None:
    """The entry of a metric."""
    if any(run.metrics[name] is None for run in runs):
        return None
    mean = np.mean([run.metrics[name] for run in runs])
    by_seed = seed_means(runs, lambda run: run.metrics[name])
    interval = metric_interval(metric, mean, splits)
    return {
        "mean": metric.rounded(mean),
        "std": metric.rounded(np.std(by_seed, ddof=1)) if len(by_seed) > 1 else None,
        "ci95": [interval.low, interval.high],
        "ci_method": interval.method,
    }


def _sampled(runs: Sequence[Run]) -> list[Sampled]:
    """The runs of each split, and the resamples of the split's test samples."""
    groups = [[scored_by(run) for run in group] for group in grouped(runs, "split").values()]
    counts = resamples([group[0].labels for group in groups])
    return [Sampled(group, drawn) for group, drawn in zip(groups, counts, strict=True)]


def scored_by(run: Run) -> Scored:
    """The test samples of a run with its probabilities."""
    found = run.predictions
    return Scored(found.labels, found.probabilities, run.metrics["top_k"])


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
    """The summary of all runs of one variant."""
    return {**metric_summaries(runs), "per_class": per_class(runs), "runs": run_rows(runs)}
