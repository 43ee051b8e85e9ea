"""Groups of test samples: one recording, person or place, by default one video.

Predictions for samples of one group resemble each other. So intervals count groups, not samples.
A group may be in the test sets of several splits, if the user's splits overlap.
"""

from collections.abc import Sequence

import numpy as np

RESAMPLES = 2000


def grouping(test_sets: Sequence[Sequence[str]]) -> list[np.ndarray]:
    """(S,) index of each sample's group for each split; the splits share the indices.

    test_sets: names (S,) of the groups of each split's test samples.
    """
    names = dict.fromkeys(name for groups in test_sets for name in groups)
    index = {name: number for number, name in enumerate(names)}
    return [np.array([index[name] for name in groups], int) for groups in test_sets]


def overlap(groups: Sequence[np.ndarray]) -> bool:
    """True if a group is in the test sets of several splits."""
    counts = np.bincount(np.concatenate([np.unique(own) for own in groups]))
    return bool(counts.max() > 1)


def sums(values: np.ndarray, groups: np.ndarray, count: int) -> np.ndarray:
    """(R, G) sum of values (R, S) over the samples of each group; groups: (S,) below `count`."""
    return np.array([np.bincount(groups, row, count) for row in values])


def by_group(splits: Sequence[np.ndarray], groups: Sequence[np.ndarray]) -> np.ndarray:
    """(R, G) values of groups; their mean is the mean over splits of the means over samples.

    splits: (R, S) values of each split, of the same R seeds. groups: of `grouping`.
    """
    names, flat = np.unique(np.concatenate(groups), return_inverse=True)
    weighted = [values / (len(splits) * values.shape[1]) for values in splits]
    return len(names) * sums(np.concatenate(weighted, axis=1), flat, len(names))


def resamples(labels: Sequence[np.ndarray], groups: Sequence[np.ndarray]) -> list[np.ndarray]:
    """How often each test sample is drawn, (RESAMPLES, S) for each split.

    labels: (S,) of each split. groups: of `grouping`. Whole groups are drawn, within their class
    and the splits that they are in. So every resample has as many groups of each class as the test
    set. Every call returns the same draws, so all metrics and variants use the same resamples.
    """
    generator = np.random.default_rng(0)
    strata = strata_of(labels, groups)
    counts = np.zeros((RESAMPLES, len(strata)))
    for stratum in range(strata.max() + 1):
        own = np.flatnonzero(strata == stratum)
        counts[:, own] = _counts(generator.integers(len(own), size=(RESAMPLES, len(own))))
    return [counts[:, own] for own in groups]


def strata_of(labels: Sequence[np.ndarray], groups: Sequence[np.ndarray]) -> np.ndarray:
    """(G,) number of each group's stratum: its splits, and the label of its first sample."""
    splits: dict[int, list[int]] = {}
    first: dict[int, int] = {}
    for split, (own_labels, own) in enumerate(zip(labels, groups, strict=True)):
        indices, places = np.unique(own, return_index=True)
        for group, place in zip(indices.tolist(), places, strict=True):
            splits.setdefault(group, []).append(split)
            first.setdefault(group, int(own_labels[place]))
    keys = [(tuple(splits[group]), first[group]) for group in range(len(first))]
    numbers = {key: number for number, key in enumerate(sorted(set(keys)))}
    return np.array([numbers[key] for key in keys])


def _counts(chosen: np.ndarray) -> np.ndarray:
    """(B, G) count of each index in each row of indices (B, G)."""
    rows, size = chosen.shape
    flat = (chosen + np.arange(rows)[:, None] * size).ravel()
    return np.bincount(flat, minlength=chosen.size).reshape(chosen.shape).astype(float)
