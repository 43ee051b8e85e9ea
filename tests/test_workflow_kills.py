"""After a kill or Ctrl-C, the same command finishes the run with the same results."""

import os
import shutil
import signal
import socket
import time
from contextlib import suppress
from pathlib import Path

import pytest
from support.tiny_run import METRICS

from mafnet.common.parent import SECONDS_BETWEEN

pytestmark = pytest.mark.workflow

PATIENCE_SECONDS = 240
"""A busy machine may need this long to reach the state that a test waits for."""


def wait_for(condition, process):
    """Wait until a condition is true while Snakemake runs; returns the condition's value."""
    end = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < end:
        if found := condition():
            return found
        assert process.poll() is None, "Snakemake ended before the expected state"
        time.sleep(0.02)
    raise AssertionError("the expected state was not reached")


def stop(run, process, number, send=os.killpg):
    """Send a signal and wait until all processes end.

    send: os.killpg to all processes, as a terminal does; os.kill to Snakemake alone.
    """
    send(process.pid, number)
    wait_for_end(run, process)


def wait_for_end(run, process):
    """Wait until Snakemake has failed and all its processes have ended."""
    assert process.wait(PATIENCE_SECONDS) != 0
    end = time.monotonic() + PATIENCE_SECONDS
    while processes_in(run.folder) and time.monotonic() < end:
        time.sleep(0.02)
    assert processes_in(run.folder) == {}


def processes_in(folder):
    """The command of each process with this working directory, by number; empty without /proc."""
    found = {}
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if (process / "cwd").readlink() == folder:
                found[int(process.name)] = (process / "cmdline").read_text()
        except OSError:
            continue
    return found


def extracting(run):
    """The visual features in the cache, as soon as there are at least two."""
    entries = list((run.folder / "cache/densenet201").glob("*/*/*"))
    return entries if len(entries) >= 2 else []


def training(run):
    """The folder of a run whose training has begun but not ended."""
    for seed in (0, 1):
        log = run.folder / f"logs/model/train/tiny-main-mafnet-{seed}.log"
        folder = run.folder / f"results/tiny/main/mafnet/seed{seed}"
        began = log.exists() and "computing on" in log.read_text()
        if began and not (folder / "model.safetensors").exists():
            return folder
    return None


@pytest.fixture
def unfinished(run):
    """A run with probed videos and weights, but without visual features and later files."""
    for path in ("results/tiny/features", "results/tiny/main", "cache/densenet201", "logs"):
        shutil.rmtree(run.folder / path)
    (run.folder / METRICS).unlink()
    (run.folder / "results/tiny/media.tsv").unlink()
    return run


def test_runs_resume_after_kills_and_ctrl_c_with_the_same_results(unfinished, finished_run):
    run = unfinished
    process = run.start(METRICS)
    wait_for(lambda: extracting(run), process)
    paused = processes_in(run.folder)
    for pid in paused:  # else the extraction would end while the others start
        os.kill(pid, signal.SIGSTOP)

    second = run.run(METRICS, succeeds=False).stdout
    name = f"process {process.pid} on {socket.gethostname()}"
    expected = f"another snakemake ({name}) is running in {run.folder}; wait until it ends, or stop"
    assert second.splitlines()[-1] == f"mafnet: {expected} it"
    assert "Traceback" not in second
    assert run.planned(), "a dry run changes nothing, so it is allowed"

    before = len(extracting(run))
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    time.sleep(2 * SECONDS_BETWEEN)  # then the jobs look for their Snakemake as soon as they go on
    for pid in paused:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)
    wait_for_end(run, process)
    assert not (run.folder / "results/tiny/features/visual/0000.tsv").exists()

    process = run.start(METRICS)
    trained = wait_for(lambda: training(run), process)
    stop(run, process, signal.SIGKILL)
    assert not (trained / "model.safetensors").exists()
    log = run.log("features/extract/tiny-visual-0000.log")
    in_cache = int(log.split("visual: ")[1].split()[0])
    assert before <= in_cache <= 8, "features from before the kill are not extracted again"

    shutil.rmtree(run.folder / "logs")
    process = run.start(METRICS)
    wait_for(lambda: training(run), process)
    stop(run, process, signal.SIGINT)
    assert "Traceback" not in (run.folder / "started.log").read_text()

    run.run(METRICS)
    path = "results/tiny/main/mafnet/seed0/predictions.csv"
    assert (run.folder / path).read_bytes() == (finished_run.folder / path).read_bytes()
    text, expected = ((one.folder / METRICS).read_text() for one in (run, finished_run))
    # The recorded command names the folder.
    assert text.replace(str(run.folder), str(finished_run.folder)) == expected
    assert run.planned() == {}
