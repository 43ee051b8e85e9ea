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
    """Percentile bootstrap over seeds and test samples of how far one classifier is above another.

    differences: (R, S) of each test set, one row a pair of runs: 1 where only the one is right, -1
    where only the other is, else 0. Every draw takes samples for all pairs alike, and pairs, both
    with replacement; with one pair it says nothing of other seeds.
    """
    generator = np.random.default_rng(0)
    draws = np.mean([_paired_draws(group, generator) for group in differences], axis=0)
    low, high = np.percentile(draws, [2.5, 97.5])
    over = (
        "seeds and test samples" if any(len(group) > 1 for group in differences) else "test samples"
    )
    return Interval(percent(low), percent(high), f"paired percentile bootstrap, over {over}")


def _paired_draws(group: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """(RESAMPLES,) mean differences of resampled pairs and samples of one test set."""
    pairs, samples = group.shape
    chosen = generator.integers(samples, size=(RESAMPLES, samples))
    means = np.stack([row[chosen].mean(axis=1) for row in group], axis=1)  # (RESAMPLES, R)
    taken = generator.integers(pairs, size=(RESAMPLES, pairs))
    return np.take_along_axis(means, taken, axis=1).mean(axis=1)
