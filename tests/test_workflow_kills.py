"""Killed or stopped at any moment, the same command again finishes with the same numbers."""

import os
import shutil
import signal
import socket
import time
from pathlib import Path

import pytest
from support.tiny_run import METRICS

pytestmark = pytest.mark.workflow

PATIENCE_SECONDS = 240
"""A busy machine may take long to get to the point that a test waits for."""


def wait_for(condition, process):
    """Wait until a condition holds while Snakemake is at work; returns what it gave."""
    end = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < end:
        if found := condition():
            return found
        assert process.poll() is None, "Snakemake ended before the point that was waited for"
        time.sleep(0.02)
    raise AssertionError("the point that was waited for did not come")


def stop(run, process, number):
    """Signal the whole process group, as a terminal does, and wait until nothing of it is left."""
    os.killpg(process.pid, number)
    assert process.wait(PATIENCE_SECONDS) != 0
    end = time.monotonic() + PATIENCE_SECONDS
    while at_work(run.folder) and time.monotonic() < end:
        time.sleep(0.02)
    assert at_work(run.folder) == []


def at_work(folder):
    """The processes whose working directory this is, where the system tells them."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if (process / "cwd").readlink() == folder:
                found.append((process / "cmdline").read_text())
        except OSError:
            continue
    return found


def extracting(run):
    """The visual features in the cache, once there are two, while the rest is being extracted."""
    entries = list((run.folder / "cache/densenet201").glob("*/*/*"))
    return entries if len(entries) >= 2 else []


def training(run):
    """The folder of a run whose training has begun and not ended."""
    for seed in (0, 1):
        log = run.folder / f"logs/model/train/tiny-main-mafnet-{seed}.log"
        folder = run.folder / f"results/tiny/main/mafnet/seed{seed}"
        began = log.exists() and "computing on" in log.read_text()
        if began and not (folder / "model.safetensors").exists():
            return folder
    return None


@pytest.fixture
def unfinished(run):
    """A run with media table of its shard and weights, but no visual features and what follows."""
    for path in ("results/tiny/features", "results/tiny/main", "cache/densenet201", "logs"):
        shutil.rmtree(run.folder / path)
    (run.folder / METRICS).unlink()
    (run.folder / "results/tiny/media.tsv").unlink()
    return run


def test_killed_and_stopped_runs_are_resumed_to_the_same_numbers(unfinished, finished_run):
    run = unfinished
    process = run.start(METRICS)
    wait_for(lambda: extracting(run), process)

    second = run.run(METRICS, succeeds=False).stdout
    who = f"process {process.pid} on {socket.gethostname()}"
    expected = f"another snakemake ({who}) is at work in {run.folder}; wait for it or stop it"
    assert second.splitlines()[-1] == f"mafnet: {expected}"
    assert "Traceback" not in second
    assert run.planned(), "a dry run disturbs nobody, so it is allowed"

    before = len(extracting(run))
    stop(run, process, signal.SIGKILL)
    assert not (run.folder / "results/tiny/features/visual/0000.tsv").exists()

    process = run.start(METRICS)
    trained = wait_for(lambda: training(run), process)
    stop(run, process, signal.SIGKILL)
    assert not (trained / "model.safetensors").exists()
    log = run.log("features/extract/tiny-visual-0000.log")
    in_cache = int(log.split("visual: ")[1].split()[0])
    assert before <= in_cache <= 8, "what was extracted before the kill is not done again"

    shutil.rmtree(run.folder / "logs")
    process = run.start(METRICS)
    wait_for(lambda: training(run), process)
    stop(run, process, signal.SIGINT)
    assert "Traceback" not in (run.folder / "started.log").read_text()

    run.run(METRICS)
    for path in (METRICS, "results/tiny/main/mafnet/seed0/predictions.csv"):
        assert (run.folder / path).read_bytes() == (finished_run.folder / path).read_bytes()
    assert run.planned() == {}
