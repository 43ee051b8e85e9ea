"""Calibrated probabilities by temperature scaling.

One number, the temperature, divides all logits (Guo et al. 2017, On calibration of modern neural
networks, arXiv 1706.04599, section 4.2). It minimises the negative log-likelihood on the validation
subset. It changes no prediction, only how sure it is. The logarithm of a probability is a logit up
to a constant. So probabilities suffice, and every network can be calibrated.

    S  samples      C  classes
"""

import logging
from typing import NamedTuple

import numpy as np

log = logging.getLogger(__name__)

LIMITS = (0.1, 10.0)
"""Range of the temperature."""

FEWEST = 10
"""Validation samples that a temperature needs; fewer say next to nothing about it."""

SMALLEST = float(np.finfo(np.float32).tiny)
"""Probabilities of labels are at least this large in the likelihood, as in the validation loss."""


class Calibration(NamedTuple):
    """temperature: 1 changes nothing. note: why it is 1 without a fit; empty after a fit."""

    temperature: float
    note: str


def fit_temperature(labels: np.ndarray, probabilities: np.ndarray) -> Calibration:
    """The temperature for labels (S,) and probabilities (S, C) of the validation subset.

    The likelihood has one maximum, at temperature 0 if all samples are right. If it is not within
    LIMITS, or if there are fewer than FEWEST samples, the temperature is 1; the note says why.
    """
    from scipy.optimize import minimize_scalar

    if len(labels) < FEWEST:
        return _kept(f"fewer than {FEWEST} validation samples")
    if (probabilities.argmax(axis=1) == labels).all():
        return _kept("all validation samples are right, so no confidence is too high for them")
    logits = np.log(np.maximum(probabilities, SMALLEST))
    bounds = tuple(np.log(LIMITS))
    found = minimize_scalar(
        lambda exponent: _loss(labels, logits, np.exp(exponent)), bounds=bounds, method="bounded"
    )
    nearness = 0.01 * (bounds[1] - bounds[0])
    if found.x < bounds[0] + nearness:
        return _kept(f"the best temperature for the validation samples is below {LIMITS[0]:g}")
    if found.x > bounds[1] - nearness:
        return _kept(
            f"the best temperature is above {LIMITS[1]:g}, because on the validation samples the "
            "network is not better than chance"
        )
    better = found.fun < _loss(labels, logits, 1.0) - 1e-9  # not where all probabilities are equal
    return Calibration(float(f"{np.exp(found.x):.4g}") if better else 1.0, "")


def calibrated(probabilities: np.ndarray, temperature: float) -> np.ndarray:
    """Probabilities (..., C) at a temperature; the order of the classes stays. 1: as they are."""
    if temperature == 1:
        return probabilities
    odds = (probabilities / probabilities.max(axis=-1, keepdims=True)) ** (1 / temperature)
    return odds / odds.sum(axis=-1, keepdims=True)


def _loss(labels: np.ndarray, logits: np.ndarray, temperature: float) -> float:
    """The mean negative log-likelihood in nats at a temperature."""
    from scipy.special import logsumexp

    scaled = logits / temperature
    own = np.take_along_axis(scaled, labels[:, None], axis=1)[:, 0]
    return float(np.mean(logsumexp(scaled, axis=1) - own))


def _kept(reason: str) -> Calibration:
    log.warning("the probabilities are not calibrated (temperature 1): %s", reason)
    return Calibration(1.0, reason)
