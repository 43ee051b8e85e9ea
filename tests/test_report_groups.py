"""Groups of test samples: intervals count recordings, not samples; splits may overlap."""

import numpy as np
import pytest
from support.made_runs import MODALITIES, write_run

from mafnet.dataset.manifest import Sample
from mafnet.report.statistics.groups import by_group, grouping, overlap, resamples
from mafnet.report.statistics.intervals import Hits, hits_interval, wilson
from mafnet.report.statistics.paired import compare
from mafnet.report.statistics.runs import read_run
from mafnet.report.statistics.summary import summarise
from mafnet.report.statistics.two_way import two_way

CLASSES = ["cat", "dog"]


def made_run(root, samples, right, seed=0, variant="mafnet", split="main"):
    """An evaluated run that is right where `right` (S,) is True."""
    labels = np.array([CLASSES.index(sample.label) for sample in samples])
    predicted = np.where(right, labels, 1 - labels)
    folder = write_run(
        root, samples, CLASSES, np.eye(2)[predicted], seed=seed, variant=variant, split=split,
        weights=dict.fromkeys(MODALITIES, "published"),
    )  # fmt: skip
    return read_run(folder)


def recordings(count, each=5):
    """`each` clips of each of `count` recordings, half of them cats."""
    return [
        Sample(f"r{n}c{c}", f"r{n}c{c}.mp4", CLASSES[n % 2], "test", group=f"r{n}")
        for n in range(count)
        for c in range(each)
    ]


def width(entry):
    return entry["ci95"][1] - entry["ci95"][0]


# Groups and resamples


def test_groups_have_one_index_in_all_splits():
    first, second = grouping([["a", "b", "a"], ["b", "c"]])
    assert (first.tolist(), second.tolist()) == ([0, 1, 0], [1, 2])
    assert overlap([first, second])
    assert not overlap(grouping([["a", "a"], ["b"]]))


def test_a_group_is_drawn_as_a_whole_within_its_class_and_in_all_its_splits():
    labels = [np.array([0, 0, 0, 1, 1, 1]), np.array([0, 0, 0])]
    groups = grouping([["a", "a", "b", "c", "d", "d"], ["b", "e", "f"]])
    first, second = resamples(labels, groups)
    assert (first[:, 0] == first[:, 1]).all()
    assert (first[:, 4] == first[:, 5]).all()
    assert (first[:, 2] == second[:, 0]).all()
    assert (first[:, 3] + first[:, 4] == 2).all()  # two groups of dogs
    assert (second[:, 1:].sum(axis=1) == 2).all()
    assert set(np.unique(first[:, 0])) == {1}  # the only group of cats of the first split alone


def test_mean_over_groups_is_the_mean_over_samples():
    values = np.array([[1.0, 0.0, 0.0, 0.0], [1.0, 1.0, 1.0, 0.0]])
    (groups,) = grouping([["a", "b", "b", "b"]])
    assert by_group([values], [groups]).mean(axis=1).tolist() == [0.25, 0.75]


# Intervals


def test_clips_that_agree_count_as_one_sample():
    """40 recordings of 5 equal clips have the interval of 40 samples (t of 39 instead of 1.96)."""
    right = np.random.default_rng(0).random(40) < 0.7
    alone = hits_interval([Hits(right[None] * 1.0, np.full(40, 1 / 40), np.arange(40))])
    clips = np.repeat(right, 5)[None] * 1.0
    grouped = hits_interval([Hits(clips, np.full(200, 1 / 200), np.repeat(np.arange(40), 5))])
    blind = hits_interval([Hits(clips, np.full(200, 1 / 200), np.arange(200))])
    assert grouped.high - grouped.low == pytest.approx(alone.high - alone.low, rel=0.05)
    assert blind.high - blind.low < 0.5 * (grouped.high - grouped.low)


def test_groups_without_correlation_cost_little():
    right = np.random.default_rng(1).random((1, 600)) < 0.7
    weights = np.full(600, 1 / 600)
    groups = np.repeat(np.arange(120), 5)
    grouped = hits_interval([Hits(right * 1.0, weights, groups)])
    alone = hits_interval([Hits(right * 1.0, weights, np.arange(600))])
    assert 1 <= (grouped.high - grouped.low) / (alone.high - alone.low) < 1.2


def test_a_perfect_score_counts_groups():
    samples = Hits(np.ones((2, 60)), np.full(60, 1 / 60), np.repeat(np.arange(12), 5))
    found, expected = hits_interval([samples]), wilson(1.0, 12)
    assert (found.low, found.high) == (expected.low, expected.high)


@pytest.mark.parametrize("seeds", [1, 3])
@pytest.mark.parametrize("correlated", [0.0, 0.5, 1.0])
def test_interval_of_grouped_samples_covers_as_often_as_it_states(seeds, correlated):
    """At least 93 % of 400 intervals (372), minus two standard deviations (5.1): 362."""
    generator = np.random.default_rng([seeds, int(2 * correlated)])
    groups = np.repeat(np.arange(60), 5)
    covered = 0
    for _ in range(400):
        by_recording = correlated * generator.normal(size=60)[groups]
        by_sample = np.sqrt(1 - correlated**2) * generator.normal(size=300)
        # Half of the noise is drawn again by each seed; 0.8 of the latent values are hits.
        noise = generator.normal(size=(seeds, 300))
        latent = by_recording + by_sample + noise
        hits = latent < 0.8416212335729143 * np.sqrt(2)
        found = hits_interval([Hits(hits * 1.0, np.full(300, 1 / 300), groups)])
        covered += found.low <= 80 <= found.high
    assert covered >= 362


def test_every_interval_of_a_data_set_counts_groups(tmp_path):
    """Equal predictions for the clips of a recording: intervals as of one clip of each."""
    right = np.random.default_rng(3).random(40) < 0.7
    clips, single = recordings(40), recordings(40, 1)
    grouped = summarise([made_run(tmp_path / "all", clips, np.repeat(right, 5))])
    alone = summarise([made_run(tmp_path / "one", single, right)])
    for name in ("accuracy", "balanced_accuracy", "macro_f1"):
        assert grouped[name]["mean"] == alone[name]["mean"]
        assert width(grouped[name]) == pytest.approx(width(alone[name]), rel=0.06), name
    for name, entry in grouped["per_class"].items():
        other = alone["per_class"][name]
        assert entry["accuracy"] == other["accuracy"]
        # t of 19 degrees of freedom is 2.093, and the binomial variance has no G / (G - 1).
        assert width(entry) == pytest.approx(width(other), rel=0.1)


# Differences


def test_difference_counts_groups(tmp_path):
    """Each recording counts once, whatever its number of clips."""
    generator = np.random.default_rng(5)
    ours, other = generator.random((2, 40)) < [[0.8], [0.6]]
    found = {}
    for each in (1, 5):
        samples = recordings(40, each)
        pair = [
            made_run(tmp_path / str(each), samples, np.repeat(right, each), variant=name)
            for name, right in (("ours", ours), ("other", other))
        ]
        found[each] = compare(pair[:1], pair[1:]).estimate
    assert found[5].mean == pytest.approx(found[1].mean)
    assert found[5].variance == pytest.approx(found[1].variance)


def test_same_samples_in_two_splits_are_no_further_evidence(tmp_path):
    """Two splits with the same test set: the interval of one split, not one narrower by 1.4."""
    generator = np.random.default_rng(6)
    samples = recordings(60, 1)
    ours, other = generator.random((2, 60)) < [[0.8], [0.6]]
    runs = {
        (name, split): made_run(tmp_path, samples, right, variant=name, split=split)
        for name, right in (("ours", ours), ("other", other))
        for split in ("one", "two")
    }
    first, second = ([runs[name, split] for split in ("one", "two")] for name in ("ours", "other"))
    twice, once = compare(first, second), compare(first[:1], second[:1])
    assert twice.estimate.variance == pytest.approx(once.estimate.variance)
    both, single = summarise(first), summarise(first[:1])
    assert both["macro_f1"] == single["macro_f1"]
    # t of 59 degrees of freedom is 2.00, and the binomial variance has no G / (G - 1).
    assert width(both["accuracy"]) == pytest.approx(width(single["accuracy"]), rel=0.04)
    assert both["per_class"]["cat"]["samples"] == 30


def test_overlapping_splits_without_a_common_seed_are_compared_as_one_seed(tmp_path):
    samples = recordings(20, 1)
    right = np.arange(20) > 3
    ours = [made_run(tmp_path, samples, right, seed, "ours", f"s{seed}") for seed in (0, 1)]
    other = [made_run(tmp_path, samples, ~right, seed, "other", f"s{seed}") for seed in (0, 1)]
    found = compare(ours, other)
    assert (found.difference, found.runs) == (60.0, 2)
    assert found.estimate.seeds == 1


def test_separate_splits_are_independent_tables(tmp_path):
    generator = np.random.default_rng(7)
    differences = generator.choice([-1, 0, 1], size=(2, 30))
    expected = two_way([differences[:1], differences[1:]])
    ours, other = [], []
    for split, row in enumerate(differences):
        samples = [
            Sample(f"{split}-{n}", f"{split}-{n}.mp4", CLASSES[n % 2], "test") for n in range(30)
        ]
        ours.append(made_run(tmp_path, samples, row >= 0, variant="ours", split=f"s{split}"))
        other.append(made_run(tmp_path, samples, row <= 0, variant="other", split=f"s{split}"))
    found = compare(ours, other).estimate
    assert (found.mean, found.variance) == pytest.approx((expected.mean, expected.variance))
