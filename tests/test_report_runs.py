"""Evaluated runs in memory: grouping, counting, and errors."""

from importlib.metadata import PackageNotFoundError

import pytest
from support.made_runs import made_run, made_test_samples

from mafnet.common.errors import MafnetError
from mafnet.report import dataset_metrics
from mafnet.report.statistics.runs import count_test_samples, grouped, read_run, seed_means

CLASSES = ("cat", "dog")


@pytest.fixture
def runs(tmp_path):
    """Two seeds of two splits with 4 and 6 test samples, of which 2 are the same; seed 7 first."""
    every = made_test_samples(CLASSES, 4)
    samples = {"one": every[:4], "other": every[2:]}
    return [
        read_run(made_run(tmp_path, rows, CLASSES, seed, split=split))
        for split, rows in samples.items()
        for seed in (7, 3)
    ]


def test_groups_and_their_items_are_in_the_order_of_the_runs(runs):
    groups = grouped(runs, "split")
    assert list(groups) == ["one", "other"]
    assert [run.seed for run in groups["other"]] == [7, 3]
    assert list(grouped(runs, "seed")) == [7, 3]


def test_the_mean_of_a_seed_is_over_the_splits_that_have_a_value(runs):
    values = dict(zip(map(id, runs), (10.0, None, 30.0, None), strict=True))
    assert seed_means(runs, lambda run: values[id(run)]) == [20.0]
    assert seed_means(runs, lambda run: float(run.seed)) == [7.0, 3.0]


def test_test_samples_of_several_runs_and_splits_count_once(runs):
    assert count_test_samples(runs) == 8
    assert count_test_samples(runs[:2]) == 4


def test_metrics_with_different_classes_are_an_error(runs):
    folder = runs[0].folder
    metrics = folder.read_metrics()
    metrics["per_class"]["owl"] = metrics["per_class"].pop("cat")
    folder.write_metrics(metrics)
    with pytest.raises(MafnetError, match=r"predictions\.csv: its classes are not .*evaluate the"):
        read_run(folder.path)


def test_the_version_of_snakemake_is_known_in_an_environment_without_it(monkeypatch):
    """With --use-conda, `mafnet metrics` runs in such an environment."""

    def absent(package):
        raise PackageNotFoundError(package)

    monkeypatch.setattr(dataset_metrics, "version", absent)
    monkeypatch.setenv("MAFNET_SNAKEMAKE_VERSION", "9.27.1")
    found = dataset_metrics._versions()
    assert (found["snakemake"], found["torch"]) == ("9.27.1", None)
