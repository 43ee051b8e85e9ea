"""95 % intervals of metrics."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from mafnet.model.metrics import IntervalMethod, Metric, percent
from mafnet.model.scored import Scored

Z95 = 1.959963984540054
"""Two-sided 95 % quantile of the normal distribution."""

RESAMPLES = 2000


@dataclass(frozen=True)
class Interval:
    """A 95 % interval, in percent or the metric's unit, and how it was computed."""

    low: float
    high: float
    method: str


def wilson(share: float, samples: int) -> Interval:
    """Wilson's score interval of a share (0 to 1) of a number of samples."""
    denominator = 1 + Z95**2 / samples
    centre = (share + Z95**2 / (2 * samples)) / denominator
    half = Z95 * np.sqrt(share * (1 - share) / samples + Z95**2 / (4 * samples**2)) / denominator
    low, high = max(0.0, centre - half), min(1.0, centre + half)
    return Interval(percent(low), percent(high), IntervalMethod.WILSON.value)


def resamples(sizes: Sequence[int]) -> list[np.ndarray]:
    """How often each test sample is drawn, (RESAMPLES, S) for each test set of S samples.

    Every call returns the same draws, so all metrics and variants use the same resamples.
    """
    generator = np.random.default_rng(0)
    return [_counts(generator.integers(size, size=(RESAMPLES, size))) for size in sizes]


def _counts(chosen: np.ndarray) -> np.ndarray:
    """(B, S) count of each index in each row of indices (B, S)."""
    rows, samples = chosen.shape
    flat = (chosen + np.arange(rows)[:, None] * samples).ravel()
    return np.bincount(flat, minlength=chosen.size).reshape(chosen.shape).astype(float)


@dataclass(frozen=True)
class Sampled:
    """The runs of a variant on one test set. counts: (RESAMPLES, S), of `resamples`."""

    runs: Sequence[Scored]
    counts: np.ndarray


def metric_interval(metric: Metric, mean: float, splits: Sequence[Sampled]) -> Interval:
    """The interval of a metric by the metric's own method.

    mean: of the metric over all runs, in its unit. The runs of a split share their test samples, so
    they are resampled together. The splits are resampled independently.
    """
    low, high = METHODS[metric.interval](metric, mean, splits)
    return Interval(metric.rounded(low), metric.rounded(high), metric.interval.value)


def _wilson(metric: Metric, mean: float, splits: Sequence[Sampled]) -> tuple[float, float]:
    found = wilson(mean / 100, sum(split.counts.shape[1] for split in splits))
    return found.low, found.high


def _percentile(metric: Metric, mean: float, splits: Sequence[Sampled]) -> tuple[float, float]:
    low, high = np.percentile(_draws(metric, splits), [2.5, 97.5])
    return metric.shown(low), metric.shown(high)


def _basic(metric: Metric, mean: float, splits: Sequence[Sampled]) -> tuple[float, float]:
    """Limits beyond the mean are set to the mean."""
    low, high = np.percentile(_draws(metric, splits), [2.5, 97.5])
    mean /= metric.unit.factor
    return metric.shown(min(mean, 2 * mean - high)), metric.shown(max(mean, 2 * mean - low))


def _distance(metric: Metric, mean: float, splits: Sequence[Sampled]) -> tuple[float, float]:
    radius = np.percentile(_draws(metric, splits), 95)
    mean /= metric.unit.factor
    return metric.shown(mean - radius), metric.shown(mean + radius)


METHODS: dict[IntervalMethod, Callable] = {
    IntervalMethod.WILSON: _wilson,
    IntervalMethod.PERCENTILE: _percentile,
    IntervalMethod.BASIC: _basic,
    IntervalMethod.DISTANCE: _distance,
}


def _draws(metric: Metric, splits: Sequence[Sampled]) -> np.ndarray:
    """(RESAMPLES,) the metric of each resample, mean over runs and then over splits."""
    means = [
        np.mean([metric.draws(run, split.counts) for run in split.runs], axis=0)
        for split in splits
    ]  # fmt: skip
    return np.mean(means, axis=0)
