"""Measures of a classifier, from labels and predictions."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

Z95 = 1.959963984540054
"""Two-sided 95 % quantile of the normal distribution."""

RESAMPLES = 2000


@dataclass(frozen=True)
class Interval:
    """A 95 % interval in percent and how it was computed."""

    low: float
    high: float
    method: str


def confusion_matrix(labels: np.ndarray, predicted: np.ndarray, classes: int) -> np.ndarray:
    """(..., C, C) counts of (label, predicted) from (..., S) class indices."""
    pairs = labels * classes + predicted
    flat = pairs.reshape(-1, pairs.shape[-1])
    counts = [np.bincount(row, minlength=classes * classes) for row in flat]
    return np.array(counts).reshape(*pairs.shape[:-1], classes, classes)


def recalls(confusion: np.ndarray) -> np.ndarray:
    """(..., C) share of each class's samples that are found; NaN for a class without samples."""
    hits = np.diagonal(confusion, axis1=-2, axis2=-1)
    with np.errstate(invalid="ignore"):
        return hits / confusion.sum(axis=-1)


def f1_scores(confusion: np.ndarray) -> np.ndarray:
    """(..., C) harmonic mean of precision and recall; NaN for a class without samples."""
    hits = np.diagonal(confusion, axis1=-2, axis2=-1)
    support = confusion.sum(axis=-1)
    with np.errstate(invalid="ignore"):
        return np.where(support > 0, 2 * hits / (support + confusion.sum(axis=-2)), np.nan)


def balanced_accuracy(confusion: np.ndarray) -> np.ndarray:
    """(...) mean recall over the classes that have samples, 0 to 1."""
    return np.nanmean(recalls(confusion), axis=-1)


def macro_f1(confusion: np.ndarray) -> np.ndarray:
    """(...) mean F1 over the classes that have samples, 0 to 1."""
    return np.nanmean(f1_scores(confusion), axis=-1)


def top_k_hits(probabilities: np.ndarray, labels: np.ndarray, k: int) -> np.ndarray:
    """(S,) True where fewer than k classes are more probable than the right one."""
    own = np.take_along_axis(probabilities, labels[:, None], axis=1)
    return (probabilities > own).sum(axis=1) < k


def wilson(share: float, samples: int) -> Interval:
    """Wilson's score interval of a share (0 to 1) seen in a number of samples."""
    denominator = 1 + Z95**2 / samples
    centre = (share + Z95**2 / (2 * samples)) / denominator
    half = Z95 * np.sqrt(share * (1 - share) / samples + Z95**2 / (4 * samples**2)) / denominator
    low, high = max(0.0, centre - half), min(1.0, centre + half)
    return Interval(percent(low), percent(high), "Wilson, over test samples")


def bootstrap(
    labels: list[np.ndarray],
    predicted: list[np.ndarray],
    classes: int,
    statistic: Callable[[np.ndarray], np.ndarray],
) -> Interval:
    """Percentile bootstrap over test samples of a statistic of confusion matrices.

    labels: (S,) of each group of runs that share a test set.
    predicted: (R, S) of each group, one row a run; runs of a group are resampled together.
    """
    generator = np.random.default_rng(0)
    draws = []
    for truth, runs in zip(labels, predicted, strict=True):
        chosen = generator.integers(len(truth), size=(RESAMPLES, len(truth)))
        values = [statistic(confusion_matrix(truth[chosen], run[chosen], classes)) for run in runs]
        draws.append(np.mean(values, axis=0))
    low, high = np.percentile(np.mean(draws, axis=0), [2.5, 97.5])
    return Interval(percent(low), percent(high), "percentile bootstrap, over test samples")


def percent(share: float) -> float:
    """A share (0 to 1) in percent, with two decimals."""
    return round(100 * float(share), 2)
