"""Metrics of many bootstrap resamples at once.

Every function takes a run on its test samples and `counts` (B, S): how often each of the S test
samples occurs in each of the B resamples. Sums over a resample are then matrix products, which is
100 times faster than a call of scikit-learn for each resample. The tests compare the two.
"""

import numpy as np

from mafnet.model.scored import Scored

CALIBRATION_BINS = 15
"""Equal-width bins of confidence (Guo et al. 2017, On calibration of modern neural networks)."""

SMALLEST = np.finfo(float).eps
"""Probabilities are clipped to this distance from 0 and 1, as scikit-learn's log_loss does."""


def recalls(scored: Scored, counts: np.ndarray) -> np.ndarray:
    """(B,) mean recall over the classes that occur in the resample, 0 to 1."""
    labels = one_hot(scored.labels, scored)
    found = counts @ (labels * scored.hits[:, None])  # (B, C)
    return _mean_over_classes(found, counts @ labels)


def f1_scores(scored: Scored, counts: np.ndarray) -> np.ndarray:
    """(B,) mean F1 over the classes that occur in the resample, 0 to 1."""
    labels = one_hot(scored.labels, scored)
    found = counts @ (labels * scored.hits[:, None])
    support, predicted = counts @ labels, counts @ one_hot(scored.predicted, scored)
    return _mean_over_classes(2 * found, np.where(support > 0, support + predicted, 0))


def average_precisions(scored: Scored, counts: np.ndarray) -> np.ndarray:
    """(B,) mean average precision over the classes that occur in the resample, 0 to 1.

    The precision at a sample of the class is the share of the class among all samples whose
    probability of the class is at least as high. All samples of the class have the same weight.
    """
    counts = counts.astype(np.float32)  # exact below 2**24 samples, and twice as fast
    found, support = [], []
    for index in scored.classes:
        scores = scored.probabilities[:, index]
        own = scored.labels == index
        above = (scores[:, None] >= scores[own]).astype(np.float32)  # (S, samples of the class)
        mine = counts[:, own]
        with np.errstate(invalid="ignore"):
            precision = (mine @ above[own]) / (counts @ above)  # NaN if nothing above is drawn
        found.append(np.where(mine > 0, mine * precision, 0).sum(axis=1, dtype=float))
        support.append(mine.sum(axis=1))
    return _mean_over_classes(np.array(found).T, np.array(support).T)


def negative_log_likelihoods(scored: Scored, counts: np.ndarray) -> np.ndarray:
    """(B,) mean over the resample of minus the logarithm of the label's probability, in nats."""
    own = scored.of_label(scored.normalised)
    losses = -np.log(np.clip(own, SMALLEST, 1 - SMALLEST))
    return counts @ losses / counts.sum(axis=1)


def calibration_gaps(scored: Scored, counts: np.ndarray) -> np.ndarray:
    """(B, CALIBRATION_BINS) accuracy minus confidence of each bin, times the bin's share.

    Confidence is the probability of the predicted class. A bin includes its upper edge.
    """
    confidence = scored.probabilities.max(axis=1)
    edges = np.linspace(0, 1, CALIBRATION_BINS + 1)[1:-1]
    bins = np.eye(CALIBRATION_BINS)[np.digitize(confidence, edges, right=True)]  # (S, bins)
    gaps = bins * (scored.hits - confidence)[:, None]
    return counts @ gaps / counts.sum(axis=1, keepdims=True)


def calibration_distances(scored: Scored, counts: np.ndarray) -> np.ndarray:
    """(B,) distance of a resample's gaps from the gaps of all samples, summed over bins, 0 to 2.

    The calibration error is a sum of absolute gaps, so it cannot change by more than this.
    """
    whole = calibration_gaps(scored, np.ones((1, len(scored.labels))))
    return np.abs(calibration_gaps(scored, counts) - whole).sum(axis=1)


def one_hot(indices: np.ndarray, scored: Scored) -> np.ndarray:
    """(S, C) 1 at each sample's class index."""
    return np.eye(scored.probabilities.shape[1])[indices]


def _mean_over_classes(numerators: np.ndarray, denominators: np.ndarray) -> np.ndarray:
    """(B,) mean ratio over the classes whose denominator is not 0; both inputs are (B, C)."""
    with np.errstate(invalid="ignore"):
        return np.nanmean(numerators / denominators, axis=1)
