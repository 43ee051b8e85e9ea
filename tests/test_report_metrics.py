"""Measures against scikit-learn's, intervals against a published table and their own laws."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as reference

from mafnet.model.evaluate import run_metrics
from mafnet.model.metrics import (
    balanced_accuracy,
    confusion_matrix,
    f1_scores,
    macro_f1,
    percent,
    recalls,
    top_k_hits,
)
from mafnet.report.statistics.intervals import bootstrap, wilson

# Sums of a few ratios of small integers in float64.
EXACT = 1e-12


@st.composite
def classified(draw):
    """Labels and predictions (S,) among C classes; some classes may be absent from either."""
    classes = draw(st.integers(2, 6))
    size = draw(st.integers(1, 40))
    indices = st.lists(st.integers(0, classes - 1), min_size=size, max_size=size)
    return np.array(draw(indices)), np.array(draw(indices)), classes


@given(classified())
def test_confusion_matrix_is_scikit_learns(case):
    labels, predicted, classes = case
    expected = reference.confusion_matrix(labels, predicted, labels=range(classes))
    assert np.array_equal(confusion_matrix(labels, predicted, classes), expected)


@given(classified())
def test_measures_are_scikit_learns_over_the_classes_that_have_samples(case):
    labels, predicted, classes = case
    confusion = confusion_matrix(labels, predicted, classes)
    present = np.unique(labels)
    options = {"labels": present, "average": None, "zero_division": 0}
    recall = reference.recall_score(labels, predicted, **options)
    f1 = reference.f1_score(labels, predicted, **options)
    np.testing.assert_allclose(recalls(confusion)[present], recall, atol=EXACT)
    np.testing.assert_allclose(f1_scores(confusion)[present], f1, atol=EXACT)
    assert math.isclose(balanced_accuracy(confusion), recall.mean(), abs_tol=EXACT)
    assert math.isclose(macro_f1(confusion), f1.mean(), abs_tol=EXACT)
    absent = np.setdiff1d(np.arange(classes), present)
    assert np.isnan(recalls(confusion)[absent]).all()
    assert np.isnan(f1_scores(confusion)[absent]).all()


def test_many_confusion_matrices_at_once():
    generator = np.random.default_rng(0)
    labels, predicted = generator.integers(4, size=(2, 5, 7, 30))
    together = confusion_matrix(labels, predicted, 4)
    assert together.shape == (5, 7, 4, 4)
    for place in np.ndindex(5, 7):
        alone = confusion_matrix(labels[place], predicted[place], 4)
        assert np.array_equal(together[place], alone)
        assert balanced_accuracy(together)[place] == balanced_accuracy(alone)


@pytest.mark.parametrize("k", [1, 2, 5])
def test_top_k_is_scikit_learns(k):
    generator = np.random.default_rng(k)
    probabilities = generator.dirichlet(np.ones(6), size=200)
    labels = generator.integers(6, size=200)
    expected = reference.top_k_accuracy_score(labels, probabilities, k=k, labels=range(6))
    assert np.mean(top_k_hits(probabilities, labels, k)) == expected


def test_top_k_of_all_classes_and_more_is_every_sample():
    probabilities = np.full((3, 4), 0.25)
    assert top_k_hits(probabilities, np.array([0, 1, 3]), 4).all()
    assert top_k_hits(probabilities, np.array([0, 1, 3]), 9).all()


@pytest.mark.parametrize(
    ("hits", "samples", "low", "high"),
    [
        # Newcombe 1998, Statistics in Medicine 17, 857-872, table I, method 3.
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilson_is_the_published_table(hits, samples, low, high):
    found = wilson(hits / samples, samples)
    # The table has four decimals and ours are percent with two: the same rounding.
    assert (found.low, found.high) == (percent(low), percent(high))


@given(st.integers(1, 5000), st.floats(0, 1))
def test_wilson_holds_the_share_and_stays_inside(samples, part):
    share = round(part * samples) / samples
    found = wilson(share, samples)
    assert 0 <= found.low <= found.high <= 100
    assert found.low - 0.005 <= 100 * share <= found.high + 0.005  # rounded to two decimals
    mirrored = wilson(1 - share, samples)
    assert found.low == pytest.approx(100 - mirrored.high, abs=0.011)  # two roundings


def drawn(seed, samples=200, runs=2, hit=0.8):
    """Labels (S,) of four classes, and predictions (R, S) that are right with probability `hit`."""
    generator = np.random.default_rng(seed)
    labels = generator.integers(4, size=samples)
    other = (labels + generator.integers(1, 4, size=(runs, samples))) % 4
    return labels, np.where(generator.random((runs, samples)) < hit, labels, other)


def test_bootstrap_gives_the_same_again():
    labels, predicted = drawn(0)
    first, again = (bootstrap([labels], [predicted], 4, macro_f1) for _ in range(2))
    assert first == again


def test_bootstrap_of_perfect_runs_is_a_point():
    labels, _ = drawn(0)
    found = bootstrap([labels], [np.array([labels, labels])], 4, balanced_accuracy)
    assert (found.low, found.high) == (100, 100)


def test_bootstrap_holds_the_mean_and_narrows_with_samples():
    widths = []
    for samples in (100, 1600):
        labels, predicted = drawn(1, samples)
        found = bootstrap([labels], [predicted], 4, balanced_accuracy)
        matrices = [confusion_matrix(labels, run, 4) for run in predicted]
        assert found.low < 100 * np.mean(list(map(balanced_accuracy, matrices))) < found.high
        widths.append(found.high - found.low)
    # Sixteen times the samples, a quarter of the width; a third for what chance does.
    assert widths[1] < widths[0] / 3


def test_bootstrap_of_accuracy_agrees_with_wilson():
    def accuracy(confusion):
        return np.trace(confusion, axis1=-2, axis2=-1) / confusion.sum(axis=(-2, -1))

    labels, predicted = drawn(2, 400, runs=1)
    found = bootstrap([labels], [predicted], 4, accuracy)
    expected = wilson(np.mean(predicted[0] == labels), 400)
    # 2,000 draws put a 2.5 % quantile off by some 0.13 of the 2-point deviation; four times that.
    assert found.low == pytest.approx(expected.low, abs=1)
    assert found.high == pytest.approx(expected.high, abs=1)


def test_same_run_twice_tells_no_more_than_once():
    """Runs of one split share their test samples, so they are drawn together."""
    labels, predicted = drawn(3, runs=1)
    once = bootstrap([labels], [predicted], 4, macro_f1)
    assert bootstrap([labels], [np.repeat(predicted, 3, axis=0)], 4, macro_f1) == once


def test_splits_are_drawn_apart_and_narrow_the_interval():
    groups = [drawn(seed, runs=1) for seed in range(9)]
    labels, predicted = map(list, zip(*groups, strict=True))
    all_splits = bootstrap(labels, predicted, 4, balanced_accuracy)
    one_split = bootstrap(labels[:1], predicted[:1], 4, balanced_accuracy)
    # Nine independent splits: a third of the width; half for what chance does.
    assert all_splits.high - all_splits.low < (one_split.high - one_split.low) / 2


def test_metrics_of_a_run():
    probabilities = np.array([[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.5, 0.1, 0.4], [0.2, 0.7, 0.1]])
    found = run_metrics(np.array([0, 1, 1, 1]), probabilities, ["a", "b", "c"], top_k=5)
    assert found == {
        "accuracy": 75.0,
        "balanced_accuracy": 83.33,  # (1 + 2/3) / 2
        "top_k": 3,
        "top5": 100.0,
        "macro_f1": 73.33,  # (2/3 + 4/5) / 2
        "samples": 4,
        "per_class": {
            "a": {"accuracy": 100.0, "samples": 1},
            "b": {"accuracy": 66.67, "samples": 3},
            "c": {"accuracy": None, "samples": 0},
        },
    }
