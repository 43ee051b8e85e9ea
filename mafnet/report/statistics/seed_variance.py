"""The variance of a mean over seeds, added to its variance over test samples."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtrit

Z95 = 1.959963984540054
"""Two-sided 95 % quantile of the normal distribution."""

NEGLIGIBLE = 1e-9
"""Smallest variance over seeds, as a share of that over samples; smaller ones are rounding."""


@dataclass(frozen=True)
class SeedVariance:
    """The variance of the mean over R seeds on one test set.

    observed: of the runs' values; a part of it comes from the samples. own: without that part.
    freedom: R - 1 degrees of freedom.
    """

    observed: float
    own: float
    freedom: int


def seed_variance(values: Sequence[float], noise: float) -> SeedVariance:
    """The variance of the mean of R runs, whose values differ by seed.

    noise: the part of the variance of a single run that comes from the samples.
    """
    seeds = len(values)
    if seeds == 1:
        return SeedVariance(0.0, 0.0, 0)
    observed = float(np.var(values, ddof=1))
    return SeedVariance(observed / seeds, max(observed - noise, 0.0) / seeds, seeds - 1)


def with_seeds(
    over_samples: float, splits: Sequence[SeedVariance], freedom: float = np.inf
) -> tuple[float, float]:
    """The total variance as a multiple of that over samples, and Student's quantile for it.

    With few seeds the sum is often too small by chance. So the interval is never narrower than
    Student's interval over the seeds alone.
    freedom: degrees of freedom of the variance over samples.
    """
    own = [(split.own, split.freedom) for split in splits]
    if sum(variance for variance, _ in own) <= NEGLIGIBLE * over_samples:
        own = []
    candidates = [
        _total([*own, (over_samples, freedom)]),
        _total([(split.observed, split.freedom) for split in splits]),
    ]
    variance, quantile = max(candidates, key=lambda pair: pair[0] * pair[1] ** 2)
    return variance / over_samples, quantile


def _total(parts: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """The sum of variances, and Student's quantile for it.

    parts: variances and their degrees of freedom. The sum has Satterthwaite's number.
    """
    variance = sum(part for part, _ in parts)
    spread = sum(part**2 / own for part, own in parts if part)
    return variance, float(stdtrit(variance**2 / spread, 0.975)) if spread else Z95
