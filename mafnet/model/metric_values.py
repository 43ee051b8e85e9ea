"""The values of the metrics: each function takes a run on its test samples.

They return a share (0 to 1), or nats.
"""

import numpy as np
from sklearn.metrics import (
    accuracy_score,
    average_precision_score,
    f1_score,
    log_loss,
    recall_score,
)

from mafnet.model import resampled
from mafnet.model.scored import Scored


def accuracy(scored: Scored) -> float:
    """Share of the samples whose most probable class is the label."""
    return accuracy_score(scored.labels, scored.predicted)


def balanced_accuracy(scored: Scored) -> float:
    """Mean recall over the classes that have samples.

    balanced_accuracy_score gives the same, and warns if a class without samples is predicted.
    """
    return recall_score(scored.labels, scored.predicted, **_over_classes(scored))


def macro_f1(scored: Scored) -> float:
    """Mean F1 over the classes that have samples."""
    return f1_score(scored.labels, scored.predicted, **_over_classes(scored))


def _over_classes(scored: Scored) -> dict:
    return {"labels": scored.classes, "average": "macro", "zero_division": 0}


def top_k_accuracy(scored: Scored) -> float:
    """Share of the samples whose label is surely among the k most probable classes.

    scikit-learn's top_k_accuracy_score ranks equal probabilities by the order of the classes.
    """
    return float(np.mean(top_k_hits(scored)))


def top_k_hits(scored: Scored) -> np.ndarray:
    """(S,) True where fewer than k other classes are as probable as the label, or more.

    A tie is no hit: a network that gives all classes the same probability has not ranked them.
    """
    return (scored.probabilities >= scored.own[:, None]).sum(axis=1) <= scored.top_k


def has_more_classes(scored: Scored) -> bool:
    """True if there are more than k classes; otherwise every sample is a top-k hit."""
    return scored.probabilities.shape[1] > scored.top_k


def mean_average_precision(scored: Scored) -> float:
    """Mean over the classes that have samples of the average precision of one against the rest."""
    labels, probabilities = scored.labels, scored.probabilities
    return float(np.mean([
        average_precision_score(labels == index, probabilities[:, index])
        for index in scored.classes
    ]))  # fmt: skip


def calibration_error(scored: Scored) -> float:
    """Mean distance between accuracy and confidence over bins of confidence (Guo et al. 2017)."""
    every = np.ones((1, len(scored.labels)))
    return float(np.abs(resampled.calibration_gaps(scored, every)).sum())


def negative_log_likelihood(scored: Scored) -> float:
    """Mean of minus the natural logarithm of the label's probability."""
    # log_loss refuses a single class. One more class without samples changes nothing.
    probabilities = np.pad(scored.normalised, ((0, 0), (0, 1)))
    return log_loss(scored.labels, probabilities, labels=range(probabilities.shape[1]))
