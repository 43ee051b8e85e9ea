"""The rules of the pages: their inputs, failed runs, and Snakemake's report."""

import re

import pytest
from support.browser import CHROMIUM, OFFLINE, needs_chromium
from support.tiny_run import METRICS

pytestmark = pytest.mark.workflow

SUMMARY = "results/tiny/summary.html"


def test_summary_needs_no_other_runs_than_the_main_ones(run):
    jobs = run.planned(SUMMARY)
    assert jobs.pop("page") == 1
    assert {"train", "evaluate", "study", "study_figure", "examples"}.isdisjoint(jobs)
    report = run.planned("results/tiny/report.html")
    assert report["page"] == 1
    assert report["study"] == report["study_figure"] > 1
    assert report["train"] == report["evaluate"] > 1


def test_failed_run_leaves_a_partial_report(run, edited):
    edited(
        "mafnet/model/commands.py",
        '    """Train one run of a variant',
        '    if "audio_only/seed1" in str(output):\n'
        "        from mafnet.common.errors import MafnetError\n\n"
        '        raise MafnetError("made to fail; try again")\n'
        '    """Train one run of a variant',
    )
    failing = "results/tiny/main/audio_only/seed1/metrics.json"
    output = run.run(failing, succeeds=False).stdout
    assert "Report of the finished runs: results/tiny/report.partial.html" in output
    page = (run.folder / "results/tiny/report.partial.html").read_text()
    assert "main seed1: mafnet train: made to fail; try again" in page
    assert "This study does not exist yet: results/tiny/studies/attention.csv is missing." in page
    assert not (run.folder / "results/tiny/report.html").exists()


def test_study_of_an_earlier_failure_goes_when_nothing_is_left_to_do(run):
    change = {"report": {"studies": {"one": ["mafnet"]}}}
    run.run(METRICS, change=change)  # the settings are part of metrics.json
    stale = run.folder / "results/tiny/studies/one.partial.csv"
    stale.parent.mkdir(exist_ok=True)
    stale.write_text("variant\n")
    run.run(METRICS, "-n", change=change)
    assert stale.exists()
    assert "Nothing to be done" in run.run(METRICS, change=change).stdout
    assert not stale.exists()


@pytest.mark.slow
@needs_chromium
def test_snakemakes_own_report_shows_figures_and_pages_offline(run):
    from playwright.sync_api import sync_playwright

    run.run(SUMMARY)
    run.run(SUMMARY, "--report", "out.html")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(OFFLINE))
        page = browser.new_page()
        requested, errors = [], []
        page.on("request", lambda request: requested.append(request.url))
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto((run.folder / "out.html").as_uri())
        page.get_by_text("Results", exact=True).click()
        page.get_by_text("tiny", exact=True).click()
        for label in ("training curves", "confusion matrix", "accuracy by class", "page: summary"):
            assert page.get_by_role("row", name=re.compile(label)).is_visible()
        browser.close()
    assert errors == []
    assert [url for url in requested if not url.startswith(("file:", "data:", "blob:"))] == []
