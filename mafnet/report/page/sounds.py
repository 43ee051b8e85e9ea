"""What the audio backbone heard: its own classes with the highest scores in each second."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import numpy as np

from mafnet.features.backbones import backbone_spec
from mafnet.features.class_scores import Classifier, read_classifier
from mafnet.features.feature_file import open_features

LEAST_SCORE = 0.1
"""Sounds with lower scores are not named."""

MOST_SOUNDS = 2
"""Largest number of sounds that are named."""


@dataclass(frozen=True)
class Heard:
    """The sounds of `seconds` successive seconds, the highest score first.

    sounds: name and mean score, 0 to 1; none if no sound has LEAST_SCORE.
    """

    seconds: int
    sounds: tuple[tuple[str, float], ...]


def read_sounds(
    videos: Sequence[str], features: Path, weights: Path
) -> dict[str, tuple[Heard, ...]]:
    """The sounds of each video, from the feature file of audio and the weights of its backbone."""
    file = open_features(features)
    spec = backbone_spec(file.fingerprint["backbone"])
    classifier = read_classifier(spec, weights)
    heard = {}
    for video in dict.fromkeys(videos):
        if video in file.rows:
            rows = np.array([file.rows[video]])
            maps, valid = (file.read(name, rows)[0] for name in ("maps", "valid"))
            heard[video] = heard_in(classifier.scores(spec.pooled(maps)), valid, classifier)
    return heard


def heard_in(scores: np.ndarray, valid: np.ndarray, classifier: Classifier) -> tuple[Heard, ...]:
    """The sounds of one video; successive seconds with the same first sound are one entry.

    scores: (T, K). valid: (T,); nothing is heard in padding.
    """
    first = np.where(valid & (scores.max(axis=1) >= LEAST_SCORE), scores.argmax(axis=1), -1)
    entries, start = [], 0
    for sound, group in groupby(first):
        count = len(list(group))
        means = scores[start : start + count].mean(axis=0)
        best = np.argsort(-means, kind="stable")[:MOST_SOUNDS]
        named = [(classifier.names[k], float(means[k])) for k in best if means[k] >= LEAST_SCORE]
        entries.append(Heard(count, tuple(named) if sound >= 0 else ()))
        start += count
    return tuple(entries)
