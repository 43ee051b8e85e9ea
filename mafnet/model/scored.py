"""Test samples with the probabilities that a run gives them: all that a metric needs."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from mafnet.model.calibration import calibrated


@dataclass(frozen=True)
class Scored:
    """S test samples of C classes with the probabilities of a run.

    labels: (S,) class indices. probabilities: (S, C), 0 to 1; each row has the sum 1, up to the six
    significant digits of predictions.csv. top_k: k of the top-k accuracy. temperature: of the run's
    calibration; `probabilities` are those before it.
    """

    labels: np.ndarray
    probabilities: np.ndarray
    top_k: int
    temperature: float = 1.0

    @cached_property
    def predicted(self) -> np.ndarray:
        """(S,) index of the most probable class; of several, the first one."""
        return self.probabilities.argmax(axis=1)

    @cached_property
    def hits(self) -> np.ndarray:
        """(S,) True where the most probable class is the label."""
        return self.predicted == self.labels

    @cached_property
    def own(self) -> np.ndarray:
        """(S,) probability of the label."""
        return self.of_label(self.probabilities)

    @cached_property
    def classes(self) -> np.ndarray:
        """Indices of the classes that have a test sample, ascending."""
        return np.unique(self.labels)

    @cached_property
    def normalised(self) -> np.ndarray:
        """(S, C) probabilities; each row has the sum 1 to the last digit."""
        return self.probabilities / self.probabilities.sum(axis=1, keepdims=True)

    @cached_property
    def calibrated(self) -> "Scored":
        """The same samples with calibrated probabilities."""
        probabilities = calibrated(self.probabilities, self.temperature)
        return replace(self, probabilities=probabilities, temperature=1.0)

    def of_label(self, values: np.ndarray) -> np.ndarray:
        """(S,) of values (S, C), that of each sample's label."""
        return np.take_along_axis(values, self.labels[:, None], axis=1)[:, 0]

    def take(self, rows: np.ndarray) -> "Scored":
        """Some of the samples; one may occur several times."""
        return replace(self, labels=self.labels[rows], probabilities=self.probabilities[rows])
