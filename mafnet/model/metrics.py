"""Measures of a classifier, from labels and predictions."""

import numpy as np


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


def percent(share: float) -> float:
    """A share (0 to 1) in percent, with two decimals."""
    return round(100 * float(share), 2)
