"""The figures of a finished run, drawn by Snakemake."""

import pytest

pytestmark = [pytest.mark.workflow, pytest.mark.slow]

ALONE = {"report": {"studies": {"modalities": ["mafnet"]}}}
FOLDER = "results/tiny/figures"


def test_figures_of_a_run_are_drawn_once(run):
    """The manifest has no events, so no figure shows them."""
    wanted = [f"{FOLDER}/{name}.svg" for name in ("curves", "timeline", "film_space", "examples")]
    study = f"{FOLDER}/study-modalities.svg"
    run.run(*wanted, study, change=ALONE)
    for path in (*wanted, study):
        assert (run.folder / path).read_text().startswith("<?xml")
    assert "no frames" not in (run.folder / FOLDER / "timeline.svg").read_text()
    assert run.planned(*wanted, study, change=ALONE) == {}
    assert "curves.svg:" in run.log("report/curves/tiny.log")


def test_one_more_seed_draws_the_figure_again(run):
    path = f"{FOLDER}/curves.svg"
    run.run(path)
    planned = run.planned(path, change={"model": {"seeds": [0, 1, 2]}})
    assert planned == {"train": 1, "evaluate": 1, "curves": 1}


def test_a_changed_module_of_the_figures_draws_them_again(run, edited):
    path = f"{FOLDER}/curves.svg"
    run.run(path)
    assert run.planned(path) == {}
    edited("mafnet/report/figures/style.py", "WIDTH = 7.5", "WIDTH = 7.6")
    assert run.planned(path) == {"curves": 1}


def test_snakemakes_own_report_has_the_captions(run):
    path = f"{FOLDER}/curves.svg"
    run.run(path)
    run.run(path, "--report", "report.html")
    assert "training curves" in (run.folder / "report.html").read_text()
