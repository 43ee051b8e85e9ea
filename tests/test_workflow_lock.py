"""Two Snakemakes never work in one directory, whatever locks its file system has."""

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


@pytest.fixture(scope="module")
def preloaded(tmp_path_factory):
    """A library that replaces flock and the machine's name in the processes that load it."""
    if shutil.which("gcc") is None:
        pytest.skip("no gcc to compile a file system without flock")
    library = tmp_path_factory.mktemp("preloaded") / "file_locks.so"
    source = REPOSITORY / "tests/support/file_locks.c"
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", library, source], check=True)
    return library


@pytest.fixture
def place(checkout, tmp_path):
    """Videos and settings; nothing has run yet."""
    shutil.copy(REPOSITORY / "tests/tiny.yaml", tmp_path)
    make_data(tmp_path)
    return Workflow(checkout, tmp_path)


def start(place, **environment):
    """Start Snakemake and stop it (SIGSTOP) as soon as it has claimed the directory."""
    process = subprocess.Popen(
        place.command(TARGET), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        env=os.environ | environment, process_group=0,
    )  # fmt: skip
    holder = place.folder / ".snakemake/mafnet.holder"
    end = time.monotonic() + PATIENCE_SECONDS
    while not (holder.exists() and str(process.pid) in holder.read_text()):
        assert process.poll() is None, "Snakemake ended before it claimed the directory"
        assert time.monotonic() < end, "Snakemake did not claim the directory"
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGSTOP)
    return process


def kill(process):
    """End Snakemake and its jobs without giving them time to clean up."""
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def run(place, *options, **environment):
    """Run Snakemake to its end; returns whether it succeeded and the last line that it prints."""
    done = subprocess.run(
        place.command(TARGET, *options), stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, env=os.environ | environment, check=False,
    )  # fmt: skip
    assert "Traceback" not in done.stdout
    return done.returncode == 0, done.stdout.splitlines()[-1]


def at_work(place, process, host):
    """The message that names the process that holds the directory."""
    return (
        f"mafnet: another snakemake (process {process.pid} on {host}) is at work in "
        f"{place.folder}; wait for it or stop it"
    )


def test_a_second_snakemake_is_refused_and_after_a_kill_the_same_command_goes_on(place):
    first = start(place)
    assert run(place) == (False, at_work(place, first, socket.gethostname()))
    assert run(place, "--dry-run")[0], "a dry run disturbs nobody"

    kill(first)
    assert run(place)[0]
    assert (place.folder / TARGET).exists()
    assert not (place.folder / ".snakemake/mafnet.holder").exists()


@pytest.mark.parametrize(
    ("flock", "second_host"), [("none", "node1"), ("none", "node2"), ("local", "node2")]
)
def test_where_flock_does_not_reach_the_message_says_what_to_type(
    place, preloaded, flock, second_host
):
    shown = {"LD_PRELOAD": str(preloaded), "FLOCK": flock}
    first = start(place, HOSTNAME_SHOWN="node1", **shown)
    holder = place.folder / ".snakemake/mafnet.holder"
    expected = f"{at_work(place, first, 'node1')}. If it no longer runs, type: rm {holder}"
    assert run(place, HOSTNAME_SHOWN=second_host, **shown) == (False, expected)

    kill(first)
    succeeded, message = run(place, HOSTNAME_SHOWN=second_host, **shown)
    assert not succeeded
    subprocess.run(message.split("type: ")[1], shell=True, check=True)
    assert run(place, HOSTNAME_SHOWN=second_host, **shown)[0]
    assert not holder.exists()


def test_after_a_kill_on_this_machine_a_local_flock_suffices(place, preloaded):
    shown = {"LD_PRELOAD": str(preloaded), "FLOCK": "local", "HOSTNAME_SHOWN": "node1"}
    kill(start(place, **shown))
    assert run(place, **shown)[0]
