"""A data set's metrics: one variant over all splits and seeds."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from mafnet.model.metrics import METRICS, Metric, percent
from mafnet.model.scored import Scored
from mafnet.report.statistics.groups import grouping, resamples
from mafnet.report.statistics.intervals import (
    Hits,
    Sampled,
    hits_interval,
    metric_interval,
    share_of,
)
from mafnet.report.statistics.runs import Run, grouped, seed_means, test_samples


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
    """Each class's recall in percent, mean over splits and seeds, its interval and test samples.

    Splits without a test sample of the class are left out.
    """
    groups = groups_of(runs)
    splits = list(zip(grouped(runs, "split").values(), groups, strict=True))
    counts = test_samples(runs)
    return {
        name: _of_class(index, splits) | {"samples": counts[name]}
        for index, name in enumerate(runs[0].predictions.classes)
    }


def _of_class(index: int, splits: Sequence[tuple[Sequence[Run], np.ndarray]]) -> dict:
    own = [(runs, groups) for runs, groups in splits if index in runs[0].predictions.labels]
    if not own:
        return {"accuracy": None, "ci95": None}
    hits = [_hits_of(index, runs, groups, len(own)) for runs, groups in own]
    interval = hits_interval(hits)
    return {"accuracy": percent(share_of(hits)), "ci95": [interval.low, interval.high]}


def _hits_of(index: int, runs: Sequence[Run], groups: np.ndarray, splits: int) -> Hits:
    """The hits on the samples of one class."""
    chosen = runs[0].predictions.labels == index
    hits = np.array([run.predictions.predicted[chosen] == index for run in runs], float)
    weights = np.full(chosen.sum(), 1 / chosen.sum() / splits)
    return Hits(hits, weights, groups[chosen])


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
    own = groups_of(runs)
    counts = resamples([group[0].labels for group in groups], own)
    return [Sampled(*parts) for parts in zip(groups, counts, own, strict=True)]


def groups_of(runs: Sequence[Run]) -> list[np.ndarray]:
    """(S,) index of the group of each test sample, for each split."""
    return grouping([group[0].predictions.groups for group in grouped(runs, "split").values()])


def scored_by(run: Run) -> Scored:
    """The test samples of a run with its probabilities."""
    found = run.predictions
    return Scored(
        found.labels, found.probabilities, run.metrics["top_k"], run.metrics["temperature"]
    )


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
