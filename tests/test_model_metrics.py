"""Every registered metric: scikit-learn's value, and the properties of its interval."""

import math
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as reference

from mafnet.model.config import Evaluation
from mafnet.model.evaluate import run_metrics
from mafnet.model.metrics import METRICS, IntervalMethod, Metric, Unit, percent
from mafnet.model.resampled import calibration_gaps
from mafnet.model.scored import Scored
from mafnet.report.statistics import groups
from mafnet.report.statistics.groups import resamples
from mafnet.report.statistics.intervals import (
    METHODS,
    Sampled,
    metric_interval,
    wilson,
)

# Sums of a few ratios of small integers in float64.
EXACT = 1e-12
# Sums of some hundred ratios in float32, which has 7 digits.
SINGLE = 1e-5

few = settings(max_examples=50, deadline=None)  # scikit-learn needs milliseconds for each
every_metric = pytest.mark.parametrize("metric", METRICS.values(), ids=METRICS)


@pytest.fixture(autouse=True)
def fewer_resamples(monkeypatch):
    """A metric without a fast function needs milliseconds for each."""
    monkeypatch.setattr(groups, "RESAMPLES", 300)


def predictions(seed, samples=200, classes=4, sharp=2.0, top_k=2):
    """Scored of a network; a larger `sharp` gives a better network."""
    generator = np.random.default_rng(seed)
    labels = generator.integers(classes, size=samples)
    return answers(generator, labels, classes, sharp, top_k)


def answers(generator, labels, classes=4, sharp=2.0, top_k=2):
    logits = sharp * (
        generator.normal(size=(len(labels), classes)) + sharp * np.eye(classes)[labels]
    )
    odds = np.exp(logits - logits.max(axis=1, keepdims=True))
    return Scored(labels, odds / odds.sum(axis=1, keepdims=True), top_k)


def interval_of(metric, *splits, groups=None):
    """The interval of runs; each split is a list of predictions on the same samples.

    groups: indices (S,) of each split; default: all samples are independent.
    """
    labels = [runs[0].labels for runs in splits]
    groups = groups or separate(labels)
    counts = resamples(labels, groups)
    values = [np.mean([metric.value(run) for run in runs]) for runs in splits]
    sampled = [Sampled(*parts) for parts in zip(splits, counts, groups, strict=True)]
    return np.mean(values), metric_interval(metric, np.mean(values), sampled)


def separate(sets):
    """Each sample of each split is its own group."""
    ends = np.cumsum([len(labels) for labels in sets])
    return [np.arange(end - len(labels), end) for end, labels in zip(ends, sets, strict=True)]


# Values


@st.composite
def tied(draw):
    """Scored of a few samples with few digits: classes are absent, probabilities are equal."""
    classes = draw(st.integers(1, 6))
    size = draw(st.integers(1, 40))
    labels = draw(st.lists(st.integers(0, classes - 1), min_size=size, max_size=size))
    row = st.lists(st.integers(0, 3), min_size=classes, max_size=classes).filter(any)
    rows = np.array(draw(st.lists(row, min_size=size, max_size=size)))
    return Scored(np.array(labels), rows / rows.sum(axis=1, keepdims=True), 2)


@few
@given(tied())
def test_values_are_scikit_learns(case):
    labels, predicted = case.labels, case.predicted
    with warnings.catch_warnings(action="ignore"):  # of classes without samples
        expected = {
            "accuracy": reference.accuracy_score(labels, predicted),
            "balanced_accuracy": reference.balanced_accuracy_score(labels, predicted),
            "macro_f1": reference.f1_score(
                labels, predicted, labels=case.classes, average="macro", zero_division=0
            ),
            "mean_average_precision": np.mean(
                [
                    reference.average_precision_score(labels == index, case.probabilities[:, index])
                    for index in case.classes
                ]
            ),
        }
    for name, value in expected.items():
        assert math.isclose(METRICS[name].function(case), value, abs_tol=EXACT), name


@few
@given(tied())
def test_no_metric_warns_or_leaves_its_range(case):
    with warnings.catch_warnings(action="error"):
        for metric in METRICS.values():
            unit = metric.unit
            value = unit.factor * metric.function(case)
            assert metric.minimum - EXACT <= value <= (unit.maximum or math.inf) + EXACT


@pytest.mark.parametrize("k", [1, 2, 5])
def test_top_k_without_equal_probabilities_is_scikit_learns(k):
    case = predictions(k, classes=6, sharp=0.5, top_k=k)
    found = METRICS["top5"].function(case)
    expected = reference.top_k_accuracy_score(case.labels, case.probabilities, k=k, labels=range(6))
    assert math.isclose(found, expected, abs_tol=EXACT)


def test_equal_probabilities_are_no_top_k_hits():
    equal = np.full((3, 4), 0.25)
    assert METRICS["top5"].value(Scored(np.array([0, 1, 3]), equal, 3)) == 0
    tied = np.array([[0.4, 0.2, 0.2, 0.2], [0.4, 0.3, 0.3, 0.0]])
    assert METRICS["top5"].value(Scored(np.array([0, 1]), tied, 2)) == 50


@pytest.mark.parametrize(("k", "expected"), [(3, 100.0), (4, None), (5, None)])
def test_top_k_of_k_classes_or_fewer_is_no_metric(k, expected):
    found = run_metrics(np.arange(4), np.eye(4), list("abcd"), Evaluation(top_k=k))
    assert (found["top5"], found["top_k"]) == (expected, k)


def test_negative_log_likelihood_is_scikit_learns_and_stays_finite():
    function = METRICS["negative_log_likelihood"].function
    case = predictions(0)
    expected = reference.log_loss(case.labels, case.probabilities, labels=range(4))
    assert math.isclose(function(case), expected, rel_tol=EXACT)
    sure = Scored(np.array([0]), np.array([[0.0, 1.0]]), 1)
    assert function(sure) == pytest.approx(-math.log(np.finfo(float).eps))


def test_calibration_error_is_that_of_the_published_loop():
    """Guo et al. 2017, equation 3, as a loop over the bins ((m - 1) / 15, m / 15]."""
    case = predictions(3, samples=500)
    confidence, hits = case.probabilities.max(axis=1), case.hits
    expected = 0.0
    for number in range(15):
        inside = (confidence > number / 15) & (confidence <= (number + 1) / 15)
        if inside.any():
            gap = abs(hits[inside].mean() - confidence[inside].mean())
            expected += inside.mean() * gap
    found = METRICS["expected_calibration_error"].function(case)
    assert math.isclose(found, expected, abs_tol=EXACT)
    assert expected > 0.01


def test_calibration_error_of_a_calibrated_network_goes_to_zero():
    """Labels are drawn with the predicted probabilities."""
    generator = np.random.default_rng(0)
    odds = generator.dirichlet(np.ones(3), size=100_000)
    labels = (odds.cumsum(axis=1) < generator.random((len(odds), 1))).sum(axis=1)
    metric = METRICS["expected_calibration_error"]
    # Noise of some 0.5 / sqrt(100,000 / 15) in each bin.
    assert metric.function(Scored(labels, odds, 1)) < 0.01
    overconfident = odds**3 / (odds**3).sum(axis=1, keepdims=True)
    assert metric.function(Scored(labels, overconfident, 1)) > 0.1


def test_metrics_of_a_run():
    probabilities = np.array([[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.5, 0.1, 0.4], [0.2, 0.7, 0.1]])
    found = run_metrics(np.array([0, 1, 1, 1]), probabilities, ["a", "b", "c"], Evaluation())
    expected = {
        "accuracy": 75.0,
        "balanced_accuracy": 83.33,  # (1 + 2/3) / 2
        "top_k": 5,
        "top5": None,
        "macro_f1": 73.33,  # (2/3 + 4/5) / 2
        "mean_average_precision": 95.83,  # (1 + (1 + 1 + 3/4) / 3) / 2
        "expected_calibration_error": 32.5,  # (0.2 + 0.5 + |2 - 1.4|) / 4: 0.7 twice in one bin
        "negative_log_likelihood": 0.81,  # -ln(0.7 * 0.8 * 0.1 * 0.7) / 4
        "samples": 4,
        "per_class": {
            "a": {"accuracy": 100.0, "samples": 1},
            "b": {"accuracy": 66.67, "samples": 3},
            "c": {"accuracy": None, "samples": 0},
        },
    }
    assert {key: found[key] for key in expected} == expected
    assert set(found) == set(expected) | set(METRICS)


# The table


def test_metric_without_a_known_method_for_its_interval_cannot_be_registered():
    given = {
        "title": "Mine", "function": len, "higher_is_better": True, "unit": Unit.PERCENT,
        "decimals": 2, "description": "Something.",
    }  # fmt: skip
    with pytest.raises(TypeError, match="interval"):
        Metric(**given)
    with pytest.raises(TypeError, match="method 'bootstrap' is unknown"):
        Metric(**given, interval="bootstrap")
    with pytest.raises(TypeError, match="needs a function"):
        Metric(**given, interval=IntervalMethod.DISTANCE)


def test_every_method_has_its_function():
    assert set(METHODS) == set(IntervalMethod)


@every_metric
def test_only_a_weighted_mean_of_hits_has_wilsons_interval(metric):
    """Wilson's interval of any other metric has no meaning."""
    if metric.interval is not IntervalMethod.WILSON:
        return
    for seed in range(20):
        case = predictions(seed, samples=37, sharp=1.0)
        weights = metric.sample_weights(case)
        assert math.isclose(weights.sum(), 1, abs_tol=EXACT)
        assert math.isclose(metric.hits(case) @ weights, metric.function(case), abs_tol=EXACT)


# Many resamples at once


@few
@given(tied(), st.integers(0, 2**32 - 1))
def test_metric_of_many_resamples_is_that_of_each(case, seed):
    size = len(case.labels)
    chosen = np.random.default_rng(seed).integers(size, size=(5, size))
    counts = np.array([np.bincount(row, minlength=size) for row in chosen], float)
    for name, metric in METRICS.items():
        if metric.interval is IntervalMethod.DISTANCE:
            continue
        expected = [metric.function(case.take(row)) for row in chosen]
        np.testing.assert_allclose(metric.draws(case, counts), expected, atol=SINGLE, err_msg=name)


def test_metric_without_a_fast_function_has_the_same_interval():
    fast = METRICS["macro_f1"]
    slow = Metric(**{**vars(fast), "resampled": None})
    case = predictions(5, samples=50)
    assert interval_of(slow, [case]) == interval_of(fast, [case])


def test_calibration_error_is_no_further_away_than_its_distance():
    case = predictions(7, samples=60)
    (counts,) = resamples([case.labels], separate([case.labels]))
    metric = METRICS["expected_calibration_error"]
    errors = np.abs(calibration_gaps(case, counts)).sum(axis=1)
    distances = metric.draws(case, counts)
    assert (np.abs(errors - metric.function(case)) <= distances + EXACT).all()
    assert distances.max() <= 2


def test_resamples_are_drawn_with_replacement_and_always_the_same():
    sets = [np.zeros(10, int), np.arange(30) % 3]
    first, second = resamples(sets, separate(sets))
    assert first.shape[1] == 10
    assert (second.sum(axis=1) == 30).all()
    assert (second[:, ::3].sum(axis=1) == 10).all()  # each class has its number of samples
    assert first.max() > 1
    assert np.array_equal(resamples(sets, separate(sets))[1], second)
    # 300 x 10 draws: the mean of a sample has a standard error of 0.055; times four.
    assert first.mean(axis=0) == pytest.approx(np.ones(10), abs=0.22)


# Intervals of every metric


@every_metric
@pytest.mark.parametrize("sharp", [0.0, 1.0, 3.0])
@pytest.mark.parametrize("samples", [12, 150])
def test_interval_has_the_mean_is_ordered_and_within_the_range(metric, sharp, samples):
    """For networks from chance to nearly perfect."""
    for seed in range(5):
        first = predictions(seed, samples, sharp=sharp)
        runs = [first, answers(np.random.default_rng(seed + 99), first.labels, sharp=sharp)]
        mean, found = interval_of(metric, runs)
        rounding = 0.5 * 10**-metric.decimals + EXACT
        assert metric.minimum <= found.low <= found.high <= (metric.unit.maximum or math.inf)
        assert found.low - rounding <= mean <= found.high + rounding
        assert found.method == metric.interval.value


@every_metric
def test_interval_narrows_with_samples(metric):
    widths = []
    for samples in (100, 1600):
        _, found = interval_of(metric, [predictions(1, samples, sharp=1.0)])
        widths.append(found.high - found.low)
    # Sixteen times the samples, a quarter of the width; a half for chance and for limits at 0.
    assert 0 < widths[1] < widths[0] / 2


@every_metric
def test_same_run_twice_has_the_interval_of_one_run(metric):
    """Runs of one split share their test samples, so they are drawn together."""
    case = predictions(3)
    assert interval_of(metric, [case] * 3) == interval_of(metric, [case])


@every_metric
def test_splits_are_drawn_separately_and_narrow_the_interval(metric):
    cases = [predictions(seed, sharp=1.0) for seed in range(9)]
    _, all_splits = interval_of(metric, *([case] for case in cases))
    _, one_split = interval_of(metric, cases[:1])
    # Nine independent splits: a third of the width; a half for chance. Distances do not cancel.
    part = 1 if metric.interval is IntervalMethod.DISTANCE else 0.5
    assert all_splits.high - all_splits.low < part * (one_split.high - one_split.low)


@pytest.mark.parametrize("metric", [m for m in METRICS.values() if m.unit is Unit.PERCENT])
def test_perfect_runs_have_no_interval_of_width_zero(metric):
    labels = np.arange(40) % 4
    mean, found = interval_of(metric, [Scored(labels, np.eye(4)[labels], 2)] * 3)
    expected = wilson(mean / 100, 40)
    assert (found.low, found.high) == (expected.low, expected.high)
    assert found.high - found.low > 8


def test_balanced_accuracy_of_a_balanced_set_has_the_interval_of_accuracy():
    labels = np.arange(60) % 4
    runs = [answers(np.random.default_rng(seed), labels, sharp=0.8) for seed in range(3)]
    names = ("accuracy", "balanced_accuracy")
    accuracy, balanced = (interval_of(METRICS[name], runs) for name in names)
    assert balanced == accuracy
    rare = [run.take(np.r_[:60, np.arange(60)[labels == 0]]) for run in runs]
    accuracy, balanced = (interval_of(METRICS[name], rare) for name in names)
    assert balanced != accuracy


def seeds_of(generator, count, samples, spread):
    """Runs of seeds whose quality differs: `sharp` is normal around 1."""
    labels = generator.integers(4, size=samples)
    return [
        answers(generator, labels, sharp=max(0.0, 1 + spread * generator.normal()))
        for _ in range(count)
    ]


@pytest.mark.parametrize(("name", "seeds"), [("accuracy", 3), ("accuracy", 10), ("macro_f1", 3)])
def test_interval_covers_other_seeds(name, seeds):
    """At least 93 % of 100 intervals, minus three standard deviations (2.6): 85.

    The intervals of single runs, which leave the seeds out, do not cover the same truth.
    """
    metric = METRICS[name]
    truth = np.mean([
        metric.value(run) for run in seeds_of(np.random.default_rng(0), 400, 2000, 0.3)
    ])  # fmt: skip
    drawn = [seeds_of(np.random.default_rng([seed, 1]), seeds, 400, 0.3) for seed in range(100)]
    found = [interval_of(metric, runs)[1] for runs in drawn]
    single = [interval_of(metric, runs[:1])[1] for runs in drawn]
    assert sum(one.low <= truth <= one.high for one in found) >= 85
    assert sum(one.low <= truth <= one.high for one in single) < 85


def test_bootstrap_of_accuracy_agrees_with_wilson(monkeypatch):
    monkeypatch.setattr(groups, "RESAMPLES", 2000)
    metric = Metric(**{**vars(METRICS["accuracy"]), "interval": IntervalMethod.PERCENTILE})
    case = predictions(2, 400, sharp=1.0)
    _, found = interval_of(metric, [case])
    expected = wilson(case.hits.mean(), 400)
    # 2,000 draws put a 2.5 % quantile off by some 0.13 of the 2.5-point standard error; four times.
    assert found.low == pytest.approx(expected.low, abs=1.3)
    assert found.high == pytest.approx(expected.high, abs=1.3)


@pytest.mark.parametrize("name", ["mean_average_precision", "negative_log_likelihood"])
@pytest.mark.parametrize("sharp", [1.0, 2.0])
def test_interval_covers_the_value_of_very_many_samples(name, sharp):
    """At least 85 of 100 intervals at 95 % cover; fewer happen once in 10,000 times."""
    metric = METRICS[name]
    truth = metric.value(predictions(0, 40_000, sharp=sharp))
    found = [interval_of(metric, [predictions(seed, sharp=sharp)])[1] for seed in range(1, 101)]
    assert sum(one.low <= truth <= one.high for one in found) >= 85


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_interval_of_the_calibration_error_covers_zero_and_large_errors(temperature):
    """It must cover in at least 95 % of cases; quantiles of the metric would never cover 0."""
    metric = METRICS["expected_calibration_error"]

    def heated(case):
        odds = case.probabilities**temperature
        return Scored(case.labels, odds / odds.sum(axis=1, keepdims=True), 1)

    truth = metric.value(heated(predictions(0, 200_000)))
    cases = [heated(predictions(seed)) for seed in range(1, 101)]
    found = [interval_of(metric, [case])[1] for case in cases]
    assert sum(one.low <= truth <= one.high for one in found) >= 85


# Wilson's interval


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
def test_wilson_contains_the_share_and_stays_inside(samples, part):
    share = round(part * samples) / samples
    found = wilson(share, samples)
    assert 0 <= found.low <= found.high <= 100
    assert found.low - 0.005 <= 100 * share <= found.high + 0.005  # rounded to two decimals
    mirrored = wilson(1 - share, samples)
    assert found.low == pytest.approx(100 - mirrored.high, abs=0.011)  # two roundings
