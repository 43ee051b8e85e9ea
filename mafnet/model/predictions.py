"""The predictions of a run on a subset, and their CSV file."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from mafnet.dataset.manifest import Sample

DIGITS = "{:.6g}"
"""Format of a probability."""

COLUMNS = ("sample", "group", "label", "predicted")
"""The first columns; a column `p(CLASS)` follows for each class."""


class Prediction(NamedTuple):
    """The prediction for one sample: names of two classes, and the probability of the second."""

    label: str
    predicted: str
    probability: float


@dataclass(frozen=True)
class PredictionTable:
    """The predictions for the S samples of a subset.

    classes: names (C,). samples: names (S,).
    groups: names (S,); samples of one recording have the same. Without a group in the manifest it
        is the video.
    labels, predicted: class indices (S,). probabilities: (S, C), sum 1 over C.
    """

    classes: Sequence[str]
    samples: Sequence[str]
    groups: Sequence[str]
    labels: np.ndarray
    predicted: np.ndarray
    probabilities: np.ndarray

    @classmethod
    def of_samples(
        cls,
        classes: Sequence[str],
        samples: Sequence[Sample],
        labels: np.ndarray,
        probabilities: np.ndarray,
    ) -> "PredictionTable":
        """The table of some samples; the class with the highest probability is predicted."""
        return cls(
            classes=classes,
            samples=[sample.sample for sample in samples],
            groups=[sample.cluster for sample in samples],
            labels=labels,
            predicted=probabilities.argmax(axis=1),
            probabilities=probabilities,
        )

    def of(self, sample: str) -> Prediction:
        """The prediction for one sample."""
        row = self.samples.index(sample)
        label, predicted = self.labels[row], self.predicted[row]
        probability = float(self.probabilities[row, predicted])
        return Prediction(self.classes[label], self.classes[predicted], probability)

    def rows(self) -> list[list[str]]:
        """The rows of the file, the header first; probabilities have six significant digits."""
        header = [*COLUMNS, *(f"p({name})" for name in self.classes)]
        names = [
            (sample, group, self.classes[label], self.classes[predicted])
            for sample, group, label, predicted in zip(
                self.samples, self.groups, self.labels, self.predicted, strict=True
            )
        ]
        numbers = [map(DIGITS.format, row) for row in self.probabilities]
        return [header, *([*own, *row] for own, row in zip(names, numbers, strict=True))]

    @classmethod
    def of_rows(cls, rows: Sequence[Sequence[str]]) -> "PredictionTable":
        """The table of a file's rows; ValueError if they are no such table."""
        header, *rows = rows
        fixed = len(COLUMNS)
        if tuple(header[:fixed]) != COLUMNS:
            raise ValueError(f"its first columns are not {', '.join(COLUMNS)}")
        classes = [name.removeprefix("p(").removesuffix(")") for name in header[fixed:]]
        samples, groups, labels, predicted = ([row[n] for row in rows] for n in range(fixed))
        probabilities = np.array([row[fixed:] for row in rows], float)
        return cls(
            classes, samples, groups,
            _class_indices(labels, classes), _class_indices(predicted, classes),
            probabilities.reshape(len(rows), len(classes)),
        )  # fmt: skip


def as_written(probabilities: np.ndarray) -> np.ndarray:
    """Probabilities (S, C) as the file has them: six significant digits, float64.

    Metrics are computed on these numbers, so that a reader of the file gets the same metrics.
    """
    return np.array([[float(DIGITS.format(value)) for value in row] for row in probabilities])


def _class_indices(names: Sequence[str], classes: Sequence[str]) -> np.ndarray:
    """(S,) indices of classes by name; ValueError for a name that has no column."""
    index = {name: number for number, name in enumerate(classes)}
    if unknown := sorted(set(names) - set(index)):
        raise ValueError(f"it has no column p({unknown[0]})")
    return np.array([index[name] for name in names], int)
