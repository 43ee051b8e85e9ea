"""Subsets of people's own data: stratified, seeded, groups undivided."""

from collections import Counter

import numpy as np
import pytest

from mafnet.common.errors import MafnetError
from mafnet.dataset.subsets import assign, clusters, require_three_each


def labels_of(*counts):
    return [f"class{number}" for number, count in enumerate(counts) for _ in range(count)]


def test_rows_that_share_a_key_directly_or_over_others_share_a_cluster():
    found = clusters(["a", "b", "c", "d"], ["x", "x", "y", ""], ["", "p", "p", ""])
    assert found[0] == found[1] == found[2] != found[3]
    assert len(set(clusters(["a", "b"], ["b", "a"]))) == 2  # equal texts of two kinds


def test_a_fifth_of_each_class_is_val_and_a_fifth_test_and_the_seed_decides():
    labels = labels_of(50, 20, 10)
    groups = np.arange(80)
    subsets = assign(labels, groups, seed=0)
    assert Counter(zip(labels, subsets, strict=True)) == {
        (f"class{number}", subset): count * share
        for number, count in enumerate((10, 4, 2))
        for subset, share in (("train", 3), ("val", 1), ("test", 1))
    }
    assert assign(labels, groups, seed=0) == subsets
    assert assign(labels, groups, seed=1) != subsets


@pytest.mark.parametrize("counts", [(3, 3), (3, 3, 3, 3, 3, 3), (3, 60), (4, 3, 5, 30, 100)])
def test_small_classes_are_in_every_subset(counts):
    labels = labels_of(*counts)
    subsets = assign(labels, np.arange(len(labels)), seed=0)
    assert len(set(zip(labels, subsets, strict=True))) == 3 * len(counts)


def test_groups_are_never_divided():
    labels = labels_of(40, 40)
    groups = np.random.default_rng(0).integers(0, 12, 80)
    subsets = assign(labels, groups, seed=0)
    assert len(set(zip(groups, subsets, strict=True))) == len(set(groups))
    assert set(subsets) == {"train", "val", "test"}


def test_groups_that_leave_a_class_untrained_are_an_error():
    """Two groups hold everything, so no third subset is possible."""
    with pytest.raises(MafnetError, match="the groups are too few"):
        assign(labels_of(6, 6), np.array([0, 1] * 6), seed=0)


def test_a_class_with_two_videos_or_three_copies_is_named():
    labels = labels_of(5, 2, 3)
    groups = np.array([0, 1, 2, 3, 4, 5, 6, 7, 7, 7])
    with pytest.raises(MafnetError) as error:
        require_three_each(labels, groups)
    assert "'class1' has 2 (in 2 usable videos); 'class2' has 1 (in 3 " in str(error.value)


def test_thousands_of_videos_are_divided_by_tenths():
    labels = labels_of(*[100] * 30)
    counts = Counter(assign(labels, np.arange(3000), seed=0))
    assert counts == {"train": 2400, "val": 300, "test": 300}
