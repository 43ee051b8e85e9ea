"""The variance of a mean over seeds and groups of test samples, both of them random.

Values of R runs (seeds) on S groups of test samples are a two-way table without replication. By
default each video is a group. Seeds and groups are independent random factors, and the variance of
the table's mean is (MS_seed + MS_sample - MS_residual) / (R S), with the mean squares of the
analysis of variance. Its degrees of freedom are Satterthwaite's (Biometrics Bulletin 2, 1946).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtr, stdtrit

POWER = 0.8


@dataclass(frozen=True)
class Estimate:
    """A mean with its uncertainty.

    variance: of the mean. freedom: degrees of freedom of the variance.
    fixed: the part of the variance that does not become smaller with more seeds.
    seeds: R, the smallest of all splits; with one the variance says nothing about other seeds.
    """

    mean: float
    variance: float
    freedom: float
    fixed: float
    seeds: int

    @property
    def error(self) -> float:
        """Standard error of the mean."""
        return float(np.sqrt(self.variance))

    @property
    def half_width(self) -> float:
        """Half the width of the 95 % interval."""
        return _half_width(self.variance, self.freedom)

    @property
    def p_value(self) -> float:
        """Two-sided p value of Student's t test that the true mean is zero."""
        return float(2 * stdtr(self.freedom, -abs(self.mean) / self.error))

    @property
    def method(self) -> str:
        """How the interval is computed."""
        if self.seeds == 1:
            return "Student's t over test samples, nothing about other seeds"
        return "Student's t with the two-way variance over seeds and test samples"

    @property
    def resolvable(self) -> float:
        """The true mean that this test finds (p < 0.05) with a power of 80 %."""
        return self.half_width + float(stdtrit(self.freedom, POWER)) * self.error

    @property
    def seeds_to_halve(self) -> int | None:
        """The number of seeds with half the standard error; None if no number is enough.

        None with one seed, too: it does not show the variance over seeds.
        """
        wanted = self.variance / 4 - self.fixed
        if self.seeds == 1 or wanted <= 0:
            return None
        return int(np.ceil(self.seeds * (self.variance - self.fixed) / wanted))


def _half_width(variance: float, freedom: float) -> float:
    """Half the width of Student's 95 % interval."""
    return float(stdtrit(freedom, 0.975) * np.sqrt(variance))


def two_way(groups: Sequence[np.ndarray]) -> Estimate:
    """The mean over independent splits with equal weights.

    groups: values (R, S) of each split. A value is a group's mean times its share of the samples,
        times S: the mean of a row is the mean over samples.
    """
    parts = [_split(values) for values in groups]
    count = len(parts)
    variance = sum(part.variance for part in parts)
    return Estimate(
        mean=float(np.mean([part.mean for part in parts])),
        variance=variance / count**2,
        freedom=variance**2 / sum(part.variance**2 / part.freedom for part in parts),
        fixed=sum(part.fixed for part in parts) / count**2,
        seeds=min(part.seeds for part in parts),
    )


def _split(values: np.ndarray) -> Estimate:
    """The mean of one split.

    With few seeds the two-way variance is often too small by chance. So the interval is never
    narrower than the interval over seeds alone or over samples alone. The variance over samples is
    at least 1 / S^2: a table with 1 for a single sample and else 0 has it. Equal predictions on S
    samples do not prove that two networks are equal.
    """
    seeds, samples = values.shape
    mean, rows, columns = values.mean(), values.mean(axis=1), values.mean(axis=0)
    by_sample = columns.var(ddof=1) / samples if samples > 1 else 0.0
    by_seed = rows.var(ddof=1) / seeds if seeds > 1 else 0.0
    residuals = values - rows[:, None] - columns + mean
    freedom = (seeds - 1) * (samples - 1)
    residual = float((residuals**2).sum()) / freedom / values.size if freedom else 0.0
    # Pairs of variance and degrees of freedom.
    candidates = [(max(by_sample, 1 / samples**2), max(samples - 1, 1))]
    if freedom:
        terms = [(by_seed, seeds - 1), (by_sample, samples - 1), (residual, freedom)]
        both = max(by_seed + by_sample - residual, 0.0)
        spread = sum(term**2 / own for term, own in terms)
        # Where terms cancel, Satterthwaite's number may be below that of any term.
        least = min(seeds, samples) - 1
        candidates.append((by_seed, seeds - 1))
        candidates.append((both, max(both**2 / spread, least) if spread else least))
    variance, freedom = max(candidates, key=lambda pair: _half_width(*pair))
    fixed = max(by_sample - residual, 0.0) if seeds > 1 else variance
    fixed = float(min(fixed, variance))
    return Estimate(float(mean), float(variance), float(freedom), fixed, seeds)
