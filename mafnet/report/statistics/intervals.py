"""95 % intervals of metrics."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtrit

from mafnet.model.metrics import METRICS, IntervalMethod, Metric, Unit, percent
from mafnet.model.scored import Scored
from mafnet.report.statistics.groups import strata_of, sums
from mafnet.report.statistics.seed_variance import Z95, SeedVariance, seed_variance, with_seeds

WILSON_METHOD = "Wilson, over test samples"


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


@dataclass(frozen=True)
class Sampled:
    """The runs of a variant on one test set.

    counts: (RESAMPLES, S), of `resamples`. groups: (S,), of `grouping`.
    """

    runs: Sequence[Scored]
    counts: np.ndarray
    groups: np.ndarray


@dataclass(frozen=True)
class Hits:
    """The hits of a split's runs.

    hits: (R, S) 0 or 1. weights: (S,) of the samples in the mean over all splits, so their sum is
    1 / K for K splits. groups: (S,), of `grouping`.
    """

    hits: np.ndarray
    weights: np.ndarray
    groups: np.ndarray


def metric_interval(metric: Metric, mean: float, splits: Sequence[Sampled]) -> Interval:
    """The interval of a metric by the metric's own method.

    mean: of the metric over all runs, in its unit. The runs of a split share their test samples, so
    they are resampled together. The splits are resampled independently, except groups that several
    splits have. If all draws are equal, a share gets Wilson's interval: a perfect score on few
    groups is not certain.
    """
    low, high = METHODS[metric.interval](metric, mean, splits)
    if low == high and metric.unit is Unit.PERCENT:
        found = wilson(mean / 100, 1 / _group_squares(_hits(METRICS["accuracy"], splits)))
        low, high = found.low, found.high
    return Interval(metric.rounded(low), metric.rounded(high), metric.interval.value)


def _wilson(metric: Metric, mean: float, splits: Sequence[Sampled]) -> tuple[float, float]:
    found = hits_interval(_hits(metric, splits))
    return found.low, found.high


def _hits(metric: Metric, splits: Sequence[Sampled]) -> list[Hits]:
    return [
        Hits(
            np.array([metric.hits(run) for run in split.runs], float),
            metric.sample_weights(split.runs[0]) / len(splits),
            split.groups,
        )
        for split in splits
    ]


def hits_interval(splits: Sequence[Hits]) -> Interval:
    """Wilson's interval, with the number of independent samples that gives the variance.

    The variance of the weighted mean of the hits is that over samples plus the variance
    over seeds. The variance over seeds is estimated, and that over samples is too if a group has
    several samples. Satterthwaite's degrees of freedom come from the estimated ones.
    """
    share = share_of(splits)
    over_samples, freedom = _sample_variance(share, splits)
    if not over_samples:
        return wilson(share, 1 / _group_squares(splits))
    ratio, quantile = with_seeds(over_samples, list(map(_seeds_of_hits, splits)), freedom)
    return wilson(share, share * (1 - share) / over_samples / ratio, quantile)


def share_of(splits: Sequence[Hits]) -> float:
    """The weighted mean of the hits, 0 to 1; exactly 1 if all are hits."""
    return round(sum(float(split.hits.mean(axis=0) @ split.weights) for split in splits), 12)


def _sample_variance(share: float, splits: Sequence[Hits]) -> tuple[float, float]:
    """The variance of the weighted mean over samples, and its degrees of freedom.

    It is the binomial variance, which is known, or the variance between groups, if that is larger.
    """
    binomial = share * (1 - share) * sum(float((split.weights**2).sum()) for split in splits)
    squares, count, grouped = _group_sums(splits)
    between = float((squares**2).sum()) * count / max(count - 1, 1)
    if not grouped or between <= binomial:
        return binomial, np.inf
    return between, count - 1


def _group_sums(splits: Sequence[Hits]) -> tuple[np.ndarray, int, bool]:
    """(G,) sum over each group of the weighted distances of its hits from the split's mean.

    Also the number of groups with a weight, and whether one of them has several samples.
    """
    weights, groups = (
        np.concatenate([getattr(split, name) for split in splits]) for name in ("weights", "groups")
    )
    residuals = np.concatenate([_residuals(split) for split in splits])
    sizes = np.bincount(groups[weights > 0])
    return np.bincount(groups, weights * residuals), int((sizes > 0).sum()), bool(sizes.max() > 1)


def _residuals(split: Hits) -> np.ndarray:
    """(S,) hits, mean over seeds, minus their weighted mean."""
    hits = split.hits.mean(axis=0)
    return hits - np.average(hits, weights=split.weights)


def _group_squares(splits: Sequence[Hits]) -> float:
    """Sum of the squared weights of the groups: 1 / G for G groups of equal size."""
    groups = np.concatenate([split.groups for split in splits])
    weights = np.bincount(groups, np.concatenate([split.weights for split in splits]))
    return float((weights**2).sum())


def _seeds_of_hits(split: Hits) -> SeedVariance:
    used, own = np.unique(split.groups[split.weights > 0], return_inverse=True)
    weights = split.weights[split.weights > 0]
    values = sums(split.hits[:, split.weights > 0] * weights, own, len(used))  # (R, G)
    noise = 0.0
    if len(values) > 1 and len(used) > 1:
        shares = np.bincount(own, weights) / weights.sum()
        centred = values - values.mean(axis=0)
        residuals = centred - centred.sum(axis=1, keepdims=True) * shares
        noise = (residuals**2).sum() / (len(values) - 1) * len(used) / (len(used) - 1)
    return seed_variance(values.sum(axis=1), noise)


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
    shrunk, freedom = _shrinkage(splits)
    radius = np.percentile(_mean(_draws(metric, splits)), 95)
    radius *= np.sqrt(shrunk) * stdtrit(freedom, 0.975) / Z95
    mean /= metric.unit.factor
    return metric.shown(mean - radius), metric.shown(mean + radius)


def _widened(
    metric: Metric, mean: float, splits: Sequence[Sampled], draws: Sequence[np.ndarray],
    limits: tuple[float, float],
) -> tuple[float, float]:  # fmt: skip
    """Limits of a bootstrap over samples, moved away from the mean.

    They then have the variance over seeds too, and that which the bootstrap leaves out.
    """
    mean /= metric.unit.factor
    parts = [
        _seeds_of_metric(metric, split, own, len(splits))
        for split, own in zip(splits, draws, strict=True)
    ]
    shrunk, freedom = _shrinkage(splits)
    over_samples = shrunk * float(np.var(_mean(draws)))
    if not over_samples:
        return tuple(metric.shown(limit) for limit in limits)
    ratio, quantile = with_seeds(over_samples, parts, freedom)
    factor = quantile / Z95 * np.sqrt(ratio * shrunk)
    low, high = (metric.shown(mean + factor * (limit - mean)) for limit in limits)
    return low, high


def _shrinkage(splits: Sequence[Sampled]) -> tuple[float, int]:
    """By how much a bootstrap within classes underestimates a variance, and degrees of freedom.

    A class of n groups has (n - 1) / n of the variance in its resamples. With four test samples of
    each class that is a quarter too little.
    """
    strata = strata_of(
        [split.runs[0].labels for split in splits], [split.groups for split in splits]
    )
    freedom = max(len(strata) - len(np.unique(strata)), 1)
    return len(strata) / freedom, freedom


def _seeds_of_metric(
    metric: Metric, split: Sampled, draws: np.ndarray, splits: int
) -> SeedVariance:
    """The part of a split's seeds in the variance of the mean over a number of splits.

    draws: (R, RESAMPLES) of the split's runs. Their spread around the mean of the runs is the part
    of the difference between runs that comes from the samples.
    """
    values = [metric.function(run) / splits for run in split.runs]
    others = max(len(values) - 1, 1)
    noise = (draws - draws.mean(axis=0)).var(axis=1).sum() / others / splits**2
    return seed_variance(values, noise)


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
