"""What a trained network predicts of the test samples."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np


@dataclass(frozen=True)
class Predictions:
    """The answers of one run to S test samples of C classes.

    labels: (S,) class indices. probabilities: (S, C), 0 to 1; each row has the sum 1, up to the six
    significant digits of predictions.csv. top_k: k of the top-k accuracy.
    """

    labels: np.ndarray
    probabilities: np.ndarray
    top_k: int

    @cached_property
    def predicted(self) -> np.ndarray:
        """(S,) index of the most probable class; of the first one among equals."""
        return self.probabilities.argmax(axis=1)

    @cached_property
    def hits(self) -> np.ndarray:
        """(S,) True where the most probable class is the label."""
        return self.predicted == self.labels

    @cached_property
    def own(self) -> np.ndarray:
        """(S,) probability of the label."""
        return np.take_along_axis(self.probabilities, self.labels[:, None], axis=1)[:, 0]

    @cached_property
    def classes(self) -> np.ndarray:
        """Indices of the classes that have a test sample, ascending."""
        return np.unique(self.labels)

    @cached_property
    def normalised(self) -> np.ndarray:
        """(S, C) probabilities; each row has the sum 1 to the last digit."""
        return self.probabilities / self.probabilities.sum(axis=1, keepdims=True)

    def take(self, rows: np.ndarray) -> "Predictions":
        """The predictions of some samples; a sample may occur several times."""
        return replace(self, labels=self.labels[rows], probabilities=self.probabilities[rows])
