"""Two Snakemakes never run in one directory, with or without flock in its file system."""

import os
import shutil
import signal
import socket
import subprocess
import time

import pytest
from support.tiny_run import REPOSITORY, Workflow, make_data

pytestmark = pytest.mark.workflow

TARGET = "results/tiny/media/0000.tsv"
PATIENCE_SECONDS = 120


@pytest.fixture
def new_run(checkout, tmp_path):
    """Videos and settings of a workflow that has not run yet."""
    shutil.copy(REPOSITORY / "tests/tiny.yaml", tmp_path)
    make_data(tmp_path)
    return Workflow(checkout, tmp_path)


def start(new_run, **environment):
    """Start Snakemake and pause it (SIGSTOP) as soon as it has locked the directory."""
    process = subprocess.Popen(
        new_run.command(TARGET), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        env=os.environ | environment, process_group=0,
    )  # fmt: skip
    holder = new_run.folder / ".snakemake/mafnet.holder"
    end = time.monotonic() + PATIENCE_SECONDS
    while not (holder.exists() and str(process.pid) in holder.read_text()):
        assert process.poll() is None, "Snakemake ended before it locked the directory"
        assert time.monotonic() < end, "Snakemake did not lock the directory"
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGSTOP)
    return process


def kill(process):
    """Kill Snakemake and its jobs with SIGKILL, so that they cannot clean up."""
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def run(new_run, *options, **environment):
    """Run Snakemake to its end; returns whether it succeeded and the last line that it prints."""
    done = subprocess.run(
        new_run.command(TARGET, *options), stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, env=os.environ | environment, check=False,
    )  # fmt: skip
    assert "Traceback" not in done.stdout
    return done.returncode == 0, done.stdout.splitlines()[-1]


def refusal(new_run, process, host):
    """The message about the process that has locked the directory."""
    return (
        f"mafnet: another snakemake (process {process.pid} on {host}) is running in "
        f"{new_run.folder}; wait until it ends, or stop it"
    )


def test_a_second_snakemake_is_refused_and_a_killed_one_can_be_restarted(new_run):
    first = start(new_run)
    assert run(new_run) == (False, refusal(new_run, first, socket.gethostname()))
    assert run(new_run, "--dry-run")[0], "a dry run changes nothing"

    kill(first)
    assert run(new_run)[0]
    assert (new_run.folder / TARGET).exists()
    assert not (new_run.folder / ".snakemake/mafnet.holder").exists()


@pytest.mark.parametrize(
    ("flock", "second_host"), [("none", "node1"), ("none", "node2"), ("local", "node2")]
)
def test_without_flock_the_message_contains_the_command_to_unlock(
    new_run, preloaded, flock, second_host
):
    environment = {"LD_PRELOAD": str(preloaded), "FLOCK": flock}
    first = start(new_run, HOSTNAME_SHOWN="node1", **environment)
    holder = new_run.folder / ".snakemake/mafnet.holder"
    expected = f"{refusal(new_run, first, 'node1')}. If it no longer runs, type: rm {holder}"
    assert run(new_run, HOSTNAME_SHOWN=second_host, **environment) == (False, expected)

    kill(first)
    succeeded, message = run(new_run, HOSTNAME_SHOWN=second_host, **environment)
    assert not succeeded
    subprocess.run(message.split("type: ")[1], shell=True, check=True)
    assert run(new_run, HOSTNAME_SHOWN=second_host, **environment)[0]
    assert not holder.exists()


def test_after_a_kill_on_the_same_machine_a_local_flock_is_enough(new_run, preloaded):
    environment = {"LD_PRELOAD": str(preloaded), "FLOCK": "local", "HOSTNAME_SHOWN": "node1"}
    kill(start(new_run, **environment))
    assert run(new_run, **environment)[0]
