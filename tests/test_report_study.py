"""Studies: paired comparisons, tables, and partial studies after failed runs."""

import io
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scipy
import yaml
from click.testing import CliRunner
from rich.console import Console
from scipy.special import expit
from support.made_runs import MODALITIES, PAPER, made_test_samples, write_run
from support.made_runs import made_run as made_random_run

from mafnet.cli import main
from mafnet.common.errors import MafnetError
from mafnet.dataset.manifest import Sample
from mafnet.model.config import Training
from mafnet.report.page.study_section import study_sections
from mafnet.report.partial_study import partial_path, partial_study, remove_stale
from mafnet.report.protocol import read_protocol
from mafnet.report.statistics.paired import compare, holm
from mafnet.report.statistics.runs import read_run
from mafnet.report.statistics.two_way import two_way
from mafnet.report.study_table import print_study, read_study, study_table, write_study

ROOT = Path(__file__).parents[1]
CLASSES = ["cat", "dog"]
OWN = read_protocol("own", [])


def made_run(root, variant, seed, right, split="main"):
    """Write an evaluated run that is right where `right` (S,) is True; return its folder."""
    labels = np.arange(len(right)) % 2
    predicted = np.where(right, labels, 1 - labels)
    samples = [
        Sample(f"s{number}", f"{number}.mp4", CLASSES[label], "test")
        for number, label in enumerate(labels)
    ]
    return write_run(
        root / "results", samples, CLASSES, np.eye(2)[predicted], seed=seed, variant=variant,
        split=split, weights=dict.fromkeys(MODALITIES, "published"),
    )  # fmt: skip


def right(*wrong, size=20):
    """(S,) True except at the given samples."""
    return ~np.isin(np.arange(size), wrong)


def shown(table):
    """The output of a study on the terminal."""
    console = Console(file=io.StringIO())
    print_study(table, "demo: tried", console)
    return console.file.getvalue()


# The paired comparison


def test_difference_is_the_mean_over_pairs_of_runs(tmp_path):
    ours = [read_run(made_run(tmp_path, "ours", seed, right(0, seed + 5))) for seed in (0, 1)]
    other = [read_run(made_run(tmp_path, "other", seed, right(1, 2, 3, 4))) for seed in (0, 1)]
    found = compare(ours, other)
    assert found.difference == 10.0  # 18 right against 16, of 20
    assert found.runs == 2
    assert found.interval.low < 10 < found.interval.high
    assert "seeds and test samples" in found.interval.method
    mirrored = compare(other, ours)
    assert (mirrored.difference, mirrored.interval.low) == (-10.0, -found.interval.high)


def test_runs_without_a_partner_are_left_out(tmp_path):
    ours = [read_run(made_run(tmp_path, "ours", seed, right(seed))) for seed in (0, 1, 2)]
    other = [read_run(made_run(tmp_path, "other", seed, right(3, 4))) for seed in (1, 7)]
    found = compare(ours, other)
    assert (found.difference, found.runs) == (5.0, 1)
    assert compare(ours, other[1:]) is None


def test_splits_have_equal_weights(tmp_path):
    sizes = {"one": (10, 1), "two": (40, 2)}  # 10 and 5 points
    ours, other = [], []
    for split, (size, wrong) in sizes.items():
        ours.append(read_run(made_run(tmp_path, "ours", 0, right(size=size), split)))
        worse = right(*range(wrong), size=size)
        other.append(read_run(made_run(tmp_path, "other", 0, worse, split)))
    assert compare(ours, other).difference == 7.5


def test_different_test_samples_are_an_error(tmp_path):
    ours = read_run(made_run(tmp_path, "ours", 0, right()))
    other = read_run(made_run(tmp_path, "other", 0, right(size=19)))
    with pytest.raises(
        MafnetError, match=r"ours \(split main, seed 0\) and other .* evaluate both"
    ):
        compare([ours], [other])


# Latent log odds: standard deviations of the effect of a seed and of a sample on the first variant.
EFFECTS = {(0.0, 0.0): "no difference", (0.3, 0.5): "small effects", (1.0, 1.0): "large effects"}


def drawn_differences(generator, seeds, samples, effects):
    """(R, S) differences of two made-up classifiers, and their expectation by 10^6 draws."""
    by_seed, by_sample = effects
    base = 1.4 + 1.5 * generator.normal(size=samples)
    first = base + by_sample * generator.normal(size=samples)
    first = first + by_seed * generator.normal(size=(seeds, 1))
    own, other = expit(first), np.broadcast_to(expit(base), first.shape)
    hits = generator.random((2, *first.shape)) < np.stack((own, other))
    return hits[0].astype(int) - hits[1]


@pytest.fixture(scope="module")
def expected():
    generator = np.random.default_rng(0)
    base, own, seed = generator.normal(size=(3, 1_000_000))
    base = 1.4 + 1.5 * base
    return {
        (by_seed, by_sample): np.mean(expit(base + by_sample * own + by_seed * seed) - expit(base))
        for by_seed, by_sample in EFFECTS
    }


@pytest.mark.parametrize("effects", EFFECTS, ids=EFFECTS.values())
@pytest.mark.parametrize("seeds", [2, 3, 5, 10])
def test_interval_of_a_difference_covers_as_often_as_it_states(seeds, effects, expected):
    """At least 93 % of the intervals contain the expectation.

    With 400 repetitions, 93 % is 372; 362 is two standard deviations (5.1) below.
    """
    for samples in (24, 72, 394):
        generator = np.random.default_rng([seeds, samples])
        covered = 0
        for _ in range(400):
            found = two_way([drawn_differences(generator, seeds, samples, effects)])
            covered += abs(found.mean - expected[effects]) <= found.half_width
        assert covered >= 362, (samples, covered)


def test_several_splits_cover_as_well(expected):
    generator = np.random.default_rng(3)
    effects = (1.0, 1.0)
    covered = 0
    for _ in range(400):
        found = two_way([drawn_differences(generator, 3, size, effects) for size in (24, 40, 72)])
        covered += abs(found.mean - expected[effects]) <= found.half_width
    assert covered >= 362


def test_variance_is_that_of_the_analysis_of_variance():
    """Mean squares by hand: two seeds, three samples; the two-way variance is the largest."""
    values = np.array([[0.0, 1.0, -1.0, 1.0], [0.0, 1.0, -1.0, 0.0], [0.0, 1.0, -1.0, -1.0]])
    mean, rows, columns = values.mean(), values.mean(1), values.mean(0)
    residual = ((values - rows[:, None] - columns + mean) ** 2).sum() / 6
    by_seed, by_sample = 4 * rows.var(ddof=1), 3 * columns.var(ddof=1)
    found = two_way([values])
    expected = (by_seed + by_sample - residual) / 12
    assert found.variance == pytest.approx(max(expected, by_seed / 12, by_sample / 12))


def test_what_runs_have_in_common_does_not_widen_the_interval():
    """Only samples with different predictions count: 8 against 2 of 10."""
    few = np.concatenate((np.ones(8), -np.ones(2), np.zeros(90)))[None]
    many = np.concatenate((np.ones(8), -np.ones(2), np.zeros(990)))[None]
    ratio = two_way([few]).half_width / two_way([many]).half_width
    # 10 times the samples, and quantiles with 99 and 999 degrees of freedom (1 % apart).
    assert math.isclose(ratio, 10, rel_tol=0.05)


def test_seeds_that_disagree_widen_the_interval():
    """The same mean of every sample, from equal and from very different seeds."""
    generator = np.random.default_rng(0)
    base = generator.choice([-1, 0, 1], p=[0.2, 0.6, 0.2], size=500)
    equal = np.stack((base / 2, base / 2))
    different = np.stack((np.minimum(base, 0), np.maximum(base, 0)))
    assert two_way([different]).half_width > 1.5 * two_way([equal]).half_width


def test_one_seed_says_nothing_about_other_seeds():
    found = two_way([np.array([[1.0, 0.0, 0.0, -1.0, 1.0]])])
    assert found.method == "Student's t over test samples, nothing about other seeds"
    assert found.seeds_to_halve is None
    assert found.freedom == 4


def test_equal_predictions_are_no_proof_that_networks_are_equal(tmp_path):
    ours = read_run(made_run(tmp_path, "ours", 0, right(1)))
    found = compare([ours], [ours])
    assert found.difference == 0
    assert (found.interval.low, found.interval.high) == (-10.47, 10.47)  # t of 19 is 2.093, / 20
    assert found.estimate.p_value == 1


def test_p_value_is_that_of_the_t_test():
    values = np.random.default_rng(0).choice([-1, 0, 1], p=[0.1, 0.5, 0.4], size=60)
    expected = scipy.stats.ttest_1samp(values, 0)
    assert two_way([values[None]]).p_value == pytest.approx(expected.pvalue)


def test_power_at_the_resolvable_difference_is_80_percent():
    """By simulation: normal values with known variance; 4,000 tests give 80 % +- 2.5 %."""
    generator = np.random.default_rng(0)
    values = generator.normal(size=(4000, 60)) * 0.3
    true = (scipy.stats.t.ppf(0.975, 59) + scipy.stats.t.ppf(0.8, 59)) * 0.3 / math.sqrt(60)
    estimates = [two_way([row[None] + true]) for row in values]
    assert np.mean([found.p_value < 0.05 for found in estimates]) == pytest.approx(0.8, abs=0.025)
    assert np.mean([found.resolvable for found in estimates]) == pytest.approx(true, rel=0.02)


def test_seeds_that_halve_the_resolvable_difference():
    """Only seeds differ, so a quarter of the variance needs four times as many."""
    rows = np.array([[0.1], [0.2], [0.3], [0.4]])
    assert two_way([np.repeat(rows, 50, axis=1)]).seeds_to_halve == 16
    only_samples = np.repeat(np.resize([1.0, 0.0, -1.0, 1.0], 50)[None], 4, axis=0)
    assert two_way([only_samples]).seeds_to_halve is None


def test_holm_is_the_published_procedure():
    """The smallest of n p values times n, the next times n - 1; never falling, at most 1."""
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.8]) == [1, 1]
    assert holm([]) == []


# The table


@pytest.fixture
def runs(tmp_path):
    """Two seeds of mafnet and of two other variants, in the order of a study."""
    wrong = {"drop_00": (0, 1, 2), "mafnet": (0,), "drop_20": (0, 5)}
    return {
        name: [read_run(made_run(tmp_path, name, seed, right(*where, seed + 9))) for seed in (0, 1)]
        for name, where in wrong.items()
    }


def test_rows_are_in_the_order_of_the_study(runs):
    table = study_table("ave", runs, PAPER, OWN, "mafnet")
    assert list(table["variant"]) == ["drop_00", "mafnet", "drop_20"]
    assert list(table["accuracy"]) == [80.0, 90.0, 85.0]
    assert list(table["difference"].fillna("")) == [-10.0, "", -5.0]
    assert list(table["paper"].fillna("")) == ["", 90.86, ""]
    assert set(table["seeds"]) == {2}
    assert set(table["samples"]) == {20}
    assert all("Wilson" in method for method in table["ci_method"])


def test_table_reads_the_same_from_its_file(runs, tmp_path):
    table = study_table("ave", runs, PAPER, OWN, "mafnet")
    write_study(table, tmp_path / "study.csv")
    assert shown(read_study(tmp_path / "study.csv")) == shown(table)


def test_terminal_shows_intervals_and_methods(runs):
    text = shown(study_table("ave", runs, PAPER, OWN, "mafnet"))
    for piece in (
        "to mafnet (95 %)",
        "-10.0 (",
        "90.86",
        "Wilson",
        "Student's t",
        "80 % power",
        "± 0.0",
    ):
        assert piece in text
    assert "…" not in text  # nothing was cut off
    assert "One seed" not in text


def test_a_pretrained_network_on_kinetics_sounds_is_marked_in_every_table(runs, tmp_path):
    for run in runs["drop_20"]:
        run.metrics.update(pretrained="kinetics400", clip_accuracy=71.25)
    for source, marks in (("kinetics_sounds", 1), ("ave", 0)):
        table = study_table("mine", runs, PAPER, OWN | {"source": source}, "mafnet")
        write_study(table, tmp_path / "study.csv")
        (section,) = study_sections([tmp_path / "study.csv"])
        text = shown(table)
        assert text.count("drop_20 †") == [row.shown for row in section.rows].count("drop_20 †")
        assert text.count("drop_20 †") == marks
        assert text.count("trained on Kinetics-400") == marks
        assert "71.25" in text


def test_rows_of_the_papers_table_that_no_variant_makes_are_shown_with_its_number(runs, tmp_path):
    table = study_table("mine", runs, PAPER, OWN | {"source": "ave"}, "mafnet", "baselines")
    assert dict(table.set_index("variant")["paper"].dropna()) == {
        "mafnet": 90.86, "dmrn": 80.96, "dmrn_vgg19": 85.02, "attention_cluster": 80.71,
        "slowfast": 80.41, "mars": 79.44, "r2plus1d": 79.19, "i3d": 73.28,
    }  # fmt: skip
    write_study(table, tmp_path / "study.csv")
    assert shown(read_study(tmp_path / "study.csv")) == shown(table)
    assert "dmrn_vgg19 ‡" in shown(table)
    assert "‡ Only the number of arXiv 2106.06736, Table 1" in shown(table)
    (section,) = study_sections([tmp_path / "study.csv"])
    assert section.rows[-1].shown == "i3d ‡"
    assert section.rows[-1].accuracy is None
    for study, source in (("baselines", "demo"), ("mine", "ave")):
        own = study_table("mine", runs, PAPER, OWN | {"source": source}, "mafnet", study)
        assert len(own) == 3


def test_one_seed_has_no_standard_deviation_and_a_note(runs):
    single = {name: found[:1] for name, found in runs.items()}
    table = study_table("demo", single, PAPER, OWN, "mafnet")
    assert table["std"].isna().all()
    assert "One seed: " in shown(table)
    assert "±" not in shown(table).split("mean ±")[0]


def test_study_without_the_main_variant_compares_with_nothing(runs):
    table = study_table("demo", {"drop_20": runs["drop_20"]}, PAPER, OWN, "mafnet")
    assert table["difference"].isna().all()
    assert "to mafnet" not in shown(table)


def test_verb_writes_the_study_and_removes_the_partial_one(runs, tmp_path):
    output = tmp_path / "studies" / "drop_rate.csv"
    output.parent.mkdir()
    partial_path(output).write_text("before")
    folders = [path.parent for path in (tmp_path / "results").rglob("metrics.json")]
    arguments = [part for folder in folders for part in ("--run", str(folder))]
    command = ["study", "--dataset", "demo", *arguments, "--paper", str(PAPER)]
    done = CliRunner().invoke(main, [*command, "--output", str(output)])
    assert done.exit_code == 0, done.output
    assert len(read_study(output)) == 3
    assert not partial_path(output).exists()


# Failed runs


@pytest.fixture
def unfinished(runs, tmp_path):
    """Folders of all runs; one run of `broken` failed, the other was not started."""
    logs = tmp_path / "logs"
    (logs / "train").mkdir(parents=True)
    text = "train: epoch 1\nmafnet: the loss is not finite \x1b[31m\n"
    (logs / "train" / "demo-main-broken-1.log").write_text(text)
    names = [*runs, "broken"]
    return [tmp_path / "results/main" / name / f"seed{seed}" for name in names for seed in (0, 1)]


def test_failed_run_is_named_and_the_others_are_shown(unfinished, tmp_path, capsys):
    output = tmp_path / "drop_rate.csv"
    logs = tmp_path / "logs"
    assert partial_study("demo", output, unfinished, PAPER, OWN, "mafnet", logs)
    assert not output.exists()
    table = read_study(partial_path(output))
    assert list(table["variant"]) == ["drop_00", "mafnet", "drop_20", "broken"]
    assert list(table["accuracy"]) == ["80.0", "90.0", "85.0", ""]
    assert list(table["missing"][:3]) == ["", "", ""]
    text = "main seed0: not run; main seed1: mafnet: the loss is not finite \\x1b[31m"
    assert table["missing"][3] == text
    output_text = capsys.readouterr().out
    assert "broken *" in output_text
    assert "missing: broken: main seed0: not run" in output_text.replace("\n", " ")
    assert "\x1b[31m" not in output_text


def test_variant_with_one_finished_run_is_in_the_partial_study(unfinished, runs, tmp_path):
    (unfinished[0] / "metrics.json").unlink()
    (tmp_path / "logs/train/demo-main-drop_00-0.log").write_text("Killed\n")
    output = tmp_path / "drop_rate.csv"
    partial_study("demo", output, unfinished, PAPER, OWN, "mafnet", tmp_path / "logs")
    first = read_study(partial_path(output)).iloc[0]
    assert (first["accuracy"], first["seeds"], first["std"]) == ("80.0", "1", "")
    assert first["missing"] == "main seed0: Killed"
    assert first["difference_method"].endswith("pairs of runs: 1")


def test_partial_study_goes_when_all_runs_are_finished(unfinished, tmp_path):
    """An interruption left it, and the runs were finished for another target."""
    output, finished = (
        tmp_path / "film.csv",
        [path for path in unfinished if path.parent.name != "broken"],
    )
    assert finished
    partial_path(output).write_text("before")
    remove_stale(output, unfinished)
    assert partial_path(output).exists()
    remove_stale(output, finished)
    assert not partial_path(output).exists()


def test_study_without_a_started_run_has_no_partial_study(unfinished, tmp_path):
    output = tmp_path / "drop_rate.csv"
    assert not partial_study("demo", output, unfinished, PAPER, OWN, "mafnet", tmp_path / "none")
    assert not partial_path(output).exists()


# The paper's values


def test_every_study_has_the_main_variant_and_variants_of_the_paper():
    config = yaml.safe_load((ROOT / "config.yaml").read_text())
    studies = config["report"]["studies"]
    assert all(config["model"]["main"] in variants for variants in studies.values())
    paper = pd.read_csv(PAPER, sep="\t")
    assert not paper.duplicated(["dataset", "variant"]).any()
    known = set(paper.loc[paper["dataset"] == "ave", "variant"])
    for study in ("fusion", "attention", "film", "baselines"):
        ours = {"mafnet_plus", "mafnet_text", "late_fusion", "logistic_regression"}
        assert set(studies[study]) <= known | ours, "these are not in the paper"


def test_papers_accuracies_on_ave_are_shares_of_394_videos():
    """14 of the 20 are exact multiples of 1/394; a number with a typing error would not be one."""
    paper = pd.read_csv(PAPER, sep="\t")
    accuracies = paper.loc[paper["dataset"] == "ave", "accuracy"].unique()
    exact = {round(100 * hits / 394, 2) for hits in range(395)}
    assert sum(accuracy in exact for accuracy in accuracies) == 14


def test_a_study_has_the_validation_accuracy_and_names_unlike_precisions(tmp_path):
    samples = made_test_samples(CLASSES, 10)
    runs = {}
    for name, chosen in (("mafnet", "float32"), ("other", "bfloat16")):
        given = {"variant": name, "training": Training(precision=chosen)}
        runs[name] = [read_run(made_random_run(tmp_path, samples, CLASSES, **given))]
    table = study_table("demo", runs, PAPER, OWN, "mafnet")
    assert list(table["precision"]) == ["float32", "bfloat16"]
    assert set(table["device"]) == {"cpu: made"}
    assert list(table["val_accuracy"]) == [run[0].metrics["val_accuracy"] for run in runs.values()]
    sentence = "The runs have different precisions: mafnet float32, other bfloat16."
    assert sentence in " ".join(shown(table).split())
    same = study_table("demo", {"mafnet": runs["mafnet"]}, PAPER, OWN, "mafnet")
    assert "precisions" not in shown(same)
