"""95 % intervals of metrics."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtrit

from mafnet.model.metrics import IntervalMethod, Metric, Unit, percent
from mafnet.model.scored import Scored

Z95 = 1.959963984540054
"""Two-sided 95 % quantile of the normal distribution."""

WILSON_METHOD = "Wilson, over test samples"

RESAMPLES = 2000

NEGLIGIBLE = 1e-9
"""Smallest variance over seeds, as a share of that over samples; smaller ones are rounding."""


@dataclass(frozen=True)
class Interval:
    """A 95 % interval, in percent or the metric's unit, and how it was computed."""

    low: float
    high: float
    method: str


def wilson(share: float, samples: float, quantile: float = Z95) -> Interval:
    """Wilson's score interval of a share (0 to 1) of a number of samples.

    quantile: two-sided 95 % quantile of the standardised share.
    """
    square = quantile**2 / samples
    centre = (share + square / 2) / (1 + square)
    half = np.sqrt(square * share * (1 - share) + square**2 / 4) / (1 + square)
    low, high = max(0.0, centre - half), min(1.0, centre + half)
    return Interval(percent(low), percent(high), WILSON_METHOD)


def resamples(test_sets: Sequence[np.ndarray]) -> list[np.ndarray]:
    """How often each test sample is drawn, (RESAMPLES, S) for each test set of S samples.

    test_sets: labels (S,) of each. Samples are drawn within their class, so every resample has as
    many samples of each class as the test set. Every call returns the same draws, so all metrics
    and variants use the same resamples.
    """
    generator = np.random.default_rng(0)
    return [_within_classes(labels, generator) for labels in test_sets]


def _within_classes(labels: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """(RESAMPLES, S) counts of each sample."""
    counts = np.zeros((RESAMPLES, len(labels)))
    for index in np.unique(labels):
        own = np.flatnonzero(labels == index)
        counts[:, own] = _counts(generator.integers(len(own), size=(RESAMPLES, len(own))))
    return counts


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
    they are resampled together. The splits are resampled independently. If all draws are equal, a
    share gets Wilson's interval: a perfect score on few samples is not certain.
    """
    low, high = METHODS[metric.interval](metric, mean, splits)
    if low == high and metric.unit is Unit.PERCENT:
        found = wilson(mean / 100, sum(split.counts.shape[1] for split in splits))
        low, high = found.low, found.high
    return Interval(metric.rounded(low), metric.rounded(high), metric.interval.value)


def _wilson(metric: Metric, mean: float, splits: Sequence[Sampled]) -> tuple[float, float]:
    """Wilson's interval of the number of independent samples that gives the variance.

    The variance is the binomial one over samples plus the variance over seeds. Only the second one
    is estimated, so Satterthwaite's degrees of freedom come from it.
    """
    share, squares = np.clip(mean / 100, 0, 1), 0.0
    parts = []
    for split in splits:
        weights = metric.sample_weights(split.runs[0]) / len(splits)
        hits = np.array([metric.hits(run) for run in split.runs], float)
        squares += float((weights**2).sum())
        parts.append((seed_variance(hits, weights), len(hits)))
    binomial = share * (1 - share) * squares
    ratio, quantile = _with_seeds(binomial, parts)
    found = wilson(share, 1 / squares / ratio, quantile)
    return found.low, found.high


def _with_seeds(over_samples: float, parts: Sequence[tuple[float, int]]) -> tuple[float, float]:
    """The total variance as a multiple of that over samples, and Student's quantile for it.

    parts: the variance over seeds and the number of seeds, of each split.
    """
    over_seeds = sum(part for part, _ in parts)
    if over_seeds <= NEGLIGIBLE * over_samples or not over_samples:
        return 1.0, Z95
    variance = over_samples + over_seeds
    spread = sum(part**2 / (seeds - 1) for part, seeds in parts if part)
    return variance / over_samples, float(stdtrit(variance**2 / spread, 0.975))


def seed_variance(hits: np.ndarray, weights: np.ndarray) -> float:
    """The part of a mean's variance that comes from R seeds, without that of the samples.

    hits: (R, S) 0 or 1. weights: (S,) of the samples in the mean.
    """
    seeds, samples = hits.shape
    if seeds == 1 or samples == 1:
        return 0.0
    rows, columns = hits @ weights, hits.mean(axis=0)
    centred = hits - columns
    residuals = centred - (centred @ weights / weights.sum())[:, None]
    noise = (weights**2 * residuals**2).sum() / (seeds - 1) * samples / (samples - 1)
    return max(float(rows.var(ddof=1) - noise), 0.0) / seeds


def _percentile(metric: Metric, mean: float, splits: Sequence[Sampled]) -> tuple[float, float]:
    draws = _draws(metric, splits)
    low, high = np.percentile(_mean(draws), [2.5, 97.5])
    return _widened(metric, mean, splits, draws, (low, high))


def _basic(metric: Metric, mean: float, splits: Sequence[Sampled]) -> tuple[float, float]:
    """Limits beyond the mean are set to the mean."""
    draws = _draws(metric, splits)
    low, high = np.percentile(_mean(draws), [2.5, 97.5])
    value = mean / metric.unit.factor
    mirrored = min(value, 2 * value - high), max(value, 2 * value - low)
    return _widened(metric, mean, splits, draws, mirrored)


def _distance(metric: Metric, mean: float, splits: Sequence[Sampled]) -> tuple[float, float]:
    radius = np.percentile(_mean(_draws(metric, splits)), 95)
    mean /= metric.unit.factor
    return metric.shown(mean - radius), metric.shown(mean + radius)


def _widened(
    metric: Metric, mean: float, splits: Sequence[Sampled], draws: Sequence[np.ndarray],
    limits: tuple[float, float],
) -> tuple[float, float]:  # fmt: skip
    """Limits of a bootstrap over samples, moved away from the mean by the variance over seeds."""
    mean /= metric.unit.factor
    parts = [
        (_seed_part(metric, split, own) / len(splits) ** 2, len(split.runs))
        for split, own in zip(splits, draws, strict=True)
    ]
    ratio, quantile = _with_seeds(float(np.var(_mean(draws))), parts)
    factor = quantile / Z95 * np.sqrt(ratio)
    low, high = (metric.shown(mean + factor * (limit - mean)) for limit in limits)
    return low, high


def _seed_part(metric: Metric, split: Sampled, draws: np.ndarray) -> float:
    """The part of a metric's variance that comes from the seeds of a split.

    draws: (R, RESAMPLES) of the split's runs. Their spread around the mean of the runs is the part
    of the difference between runs that comes from the samples.
    """
    seeds = len(split.runs)
    if seeds == 1:
        return 0.0
    values = [metric.function(run) for run in split.runs]
    noise = (draws - draws.mean(axis=0)).var(axis=1).sum() / (seeds - 1)
    return max(float(np.var(values, ddof=1) - noise), 0.0) / seeds


def _draws(metric: Metric, splits: Sequence[Sampled]) -> list[np.ndarray]:
    """(R, RESAMPLES) for each split: the metric of each run and resample."""
    return [
        np.array([metric.draws(run, split.counts) for run in split.runs]) for split in splits
    ]  # fmt: skip


def _mean(draws: Sequence[np.ndarray]) -> np.ndarray:
    """(RESAMPLES,) mean over the runs of each split, then over splits."""
    return np.mean([own.mean(axis=0) for own in draws], axis=0)


METHODS: dict[IntervalMethod, Callable] = {
    IntervalMethod.WILSON: _wilson,
    IntervalMethod.PERCENTILE: _percentile,
    IntervalMethod.BASIC: _basic,
    IntervalMethod.DISTANCE: _distance,
}
