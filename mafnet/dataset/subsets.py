"""Divides a data set into train, val and test: stratified by class, groups undivided."""

import warnings
from collections.abc import Hashable, Iterator, Sequence
from itertools import permutations

import numpy as np

from mafnet.common.errors import MafnetError
from mafnet.dataset.manifest import SUBSETS

LARGE = 1000
"""Number of videos from which val and test are a tenth each; below it, a fifth each."""
FOLDS = {False: (5, 4, 3), True: (10, 5, 4, 3)}
"""Numbers of folds that are tried, by whether the data set is large. One fold is val, one test."""
ATTEMPTS = 10
"""Seeds that are tried until each class is in each subset."""


def clusters(*keys: Sequence[Hashable]) -> np.ndarray:
    """A number for each row; rows that have a key in common, directly or over others, share it.

    keys: one sequence for each kind of key, with an entry for each row; "" is no key.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    count = len(keys[0])
    nodes: dict[Hashable, int] = {}
    edges = [
        (row, count + nodes.setdefault((kind, key), len(nodes)))
        for kind, column in enumerate(keys)
        for row, key in enumerate(column)
        if key != ""
    ]
    rows, ends = np.array(edges, int).reshape(-1, 2).T
    size = count + len(nodes)
    graph = coo_array((np.ones(len(rows), bool), (rows, ends)), shape=(size, size))
    return connected_components(graph, directed=False)[1][:count]


def require_three_each(labels: Sequence[str], groups: np.ndarray) -> None:
    """MafnetError unless each class has three groups: one for each subset."""
    held: dict[str, set[int]] = {}
    for label, group in zip(labels, groups, strict=True):
        held.setdefault(label, set()).add(int(group))
    few = [
        f"{label!r} has {len(found)} (in {sum(name == label for name in labels)} usable videos)"
        for label, found in sorted(held.items())
        if len(found) < len(SUBSETS)
    ]
    if few:
        raise MafnetError(
            "each class needs at least three videos that are not copies or of one group: one to "
            f"train, one to choose the epoch, one to test; class {'; '.join(few[:10])}"
            f"{f'; and {len(few) - 10} more' if len(few) > 10 else ''}; add videos or remove the "
            "class"
        )


def assign(labels: Sequence[str], groups: np.ndarray, seed: int) -> list[str]:
    """The subset of each row; the same arguments give the same subsets.

    Each class is in each subset wherever the groups allow it, and in train in any case.
    MafnetError if no division has that.
    """
    classes = np.unique(labels, return_inverse=True)[1]
    best, fewest = None, np.inf
    for folds, count in _foldings(classes, groups, seed):
        for test, val in permutations(range(count), 2):
            subset = np.where(folds == test, 2, np.where(folds == val, 1, 0))
            lack = _lack(classes, subset, 1 / count)
            if lack < fewest:
                best, fewest = subset, lack
        if fewest < 1:
            break
    if best is None:
        raise MafnetError(
            "the groups are too few to train on all classes and to keep some groups for val and "
            "test; make smaller groups (--group)"
        )
    return [SUBSETS[index] for index in best]


def _foldings(
    classes: np.ndarray, groups: np.ndarray, seed: int
) -> Iterator[tuple[np.ndarray, int]]:
    """Foldings (the fold of each row) and their numbers of folds."""
    from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

    found = len(np.unique(groups))
    grouped = found < len(groups)
    kind = StratifiedGroupKFold if grouped else StratifiedKFold  # the latter is much faster
    for count in FOLDS[len(classes) >= LARGE]:
        if min(found, np.bincount(classes).max()) < count:
            continue
        for attempt in range(ATTEMPTS):
            folds = np.zeros(len(classes), int)
            splitter = kind(count, shuffle=True, random_state=seed + attempt)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # a class with fewer videos than folds
                parts = list(splitter.split(classes, classes, groups))
            for fold, (_, held) in enumerate(parts):
                folds[held] = fold
            yield folds, count


def _lack(classes: np.ndarray, subset: np.ndarray, share: float) -> float:
    """What a division lacks: classes in val or test, and below 1 how far both are from `share`.

    Infinite if a class is not in train, or if a subset is empty.
    """
    table = np.zeros((classes.max() + 1, len(SUBSETS)), int)
    np.add.at(table, (classes, subset), 1)
    if not table[:, 0].all() or not table.sum(0).all():
        return np.inf
    _, val, test = table.sum(0) / len(classes)
    return (table == 0).sum() + (abs(val - share) + abs(test - share)) / 2
