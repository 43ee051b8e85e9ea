"""Intervals: how far a measure may be from what more test samples would give."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from mafnet.model.metrics import confusion_matrix, percent

Z95 = 1.959963984540054
"""Two-sided 95 % quantile of the normal distribution."""

RESAMPLES = 2000


@dataclass(frozen=True)
class Interval:
    """A 95 % interval in percent and how it was computed."""

    low: float
    high: float
    method: str


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


def paired_bootstrap(differences: Sequence[np.ndarray]) -> Interval:
    """Percentile bootstrap over test samples of the mean difference between two classifiers.

    differences: (S,) of each test set, between -1 and 1: the mean over pairs of runs that share it.
    """
    generator = np.random.default_rng(0)
    draws = [
        group[generator.integers(len(group), size=(RESAMPLES, len(group)))].mean(axis=1)
        for group in differences
    ]
    low, high = np.percentile(np.mean(draws, axis=0), [2.5, 97.5])
    return Interval(percent(low), percent(high), "paired percentile bootstrap, over test samples")
