"""Jobs at the same time, each on its own GPU: real processes, simulated GPUs."""

import multiprocessing
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from mafnet.common.errors import MafnetError
from mafnet.common.gpus import claim_card, count_cards

JOB = """
import logging, sys
from pathlib import Path
from mafnet.common.gpus import claim_card
logging.basicConfig(level=logging.INFO)
folder, shared, *cards = sys.argv[1:]
print(claim_card(cards, Path(folder), shared == "shared"), flush=True)
sys.stdin.read()
"""


class Jobs:
    """Processes that each claim a GPU and keep it until they end."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.started: list[subprocess.Popen] = []

    def start(self, *cards: str, shared: bool = False) -> subprocess.Popen:
        command = [sys.executable, "-c", JOB, self.folder, "shared" if shared else "whole", *cards]
        pipe = subprocess.PIPE
        job = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True)
        self.started.append(job)
        return job

    def end(self) -> None:
        for job in self.started:
            job.kill()
            job.communicate()


@pytest.fixture
def jobs(tmp_path):
    found = Jobs(tmp_path / "locks")
    yield found
    found.end()


def cards_of(jobs):
    """The GPUs that the jobs claim; waits for each job."""
    return [int(job.stdout.readline()) for job in jobs]


def test_jobs_that_start_at_the_same_time_have_different_gpus(jobs):
    assert sorted(cards_of([jobs.start("a", "b", "c", "d") for _ in range(4)])) == [0, 1, 2, 3]


def test_one_job_too_many_says_that_it_waits_and_gets_the_gpu_of_a_killed_job(jobs):
    first = [jobs.start("a", "b") for _ in range(2)]
    taken = cards_of(first)
    late = jobs.start("a", "b")
    assert "other jobs use all 2 GPUs; waiting" in late.stderr.readline()
    first[1].kill()
    assert cards_of([late]) == [taken[1]]


def test_a_gpu_keeps_its_name_if_a_scheduler_shows_fewer_gpus(jobs):
    """GPU b is the first of two in one job, and the only one, number 0, in the other."""
    holder = jobs.start("b", "c")
    assert cards_of([holder, jobs.start("a", "b")]) == [0, 0]
    late = jobs.start("b")
    assert "other jobs use all 1 GPUs" in late.stderr.readline()
    holder.communicate("")
    assert cards_of([late]) == [0]


def test_runs_share_gpus_evenly(jobs):
    shared = [jobs.start("a", "b", shared=True) for _ in range(6)]
    assert sorted(cards_of(shared)) == [0, 0, 0, 1, 1, 1]


def test_a_job_that_needs_a_whole_gpu_gets_none_that_is_shared(jobs):
    run = jobs.start("a", "b", shared=True)
    alone = jobs.start("a", "b")
    taken = cards_of([run, alone])
    assert sorted(taken) == [0, 1]
    assert cards_of([jobs.start("a", "b", shared=True)]) == [taken[0]]
    late = jobs.start("a", "b")
    assert "waiting" in late.stderr.readline()
    alone.kill()
    assert cards_of([late]) == [taken[1]]


@pytest.mark.skipif(os.getuid() != 0, reason="only root can start processes of other users")
def test_jobs_of_different_users_have_different_gpus():
    """The first user creates the folder and the lock of card a; the second one only reads them."""
    fork = multiprocessing.get_context("fork")  # other users may not read this Python

    def claim(user, queue, done):
        os.umask(0o077)
        os.setuid(user)
        queue.put(claim_card(["a", "b"], folder, shared=False))
        done.wait()

    with tempfile.TemporaryDirectory() as place:
        Path(place).chmod(0o777)
        folder, queue, done = Path(place, "locks"), fork.Queue(), fork.Event()
        jobs = [fork.Process(target=claim, args=(user, queue, done)) for user in (65534, 65533)]
        found = []
        for job in jobs:
            job.start()
            found.append(queue.get(timeout=30))
        assert folder.stat().st_mode & 0o7777 == 0o1777
        done.set()
        for job in jobs:
            job.join()
    assert found == [0, 1]


def test_a_symbolic_link_in_place_of_a_lock_is_not_followed(tmp_path):
    (tmp_path / "locks").mkdir()
    (tmp_path / "locks/a.lock").symlink_to(tmp_path / "trap")
    with pytest.raises(MafnetError, match="cannot lock a GPU there"):
        claim_card(["a"], tmp_path / "locks", shared=False)
    assert not (tmp_path / "trap").exists()


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(MafnetError, match=r"cannot lock a GPU there .* set TMPDIR to a folder"):
        claim_card(["a"], tmp_path / "file/locks", shared=False)


@pytest.mark.parametrize(
    ("visible", "count"),
    [
        (None, 3),
        ("", 0),
        ("-1", 0),
        ("0", 1),
        ("2, 0", 2),
        ("GPU-8a56,MIG-aa", 2),
        ("0,-1,1", 1),
        ("NoDevFiles", 0),
    ],
)
def test_gpus_are_counted_as_cuda_shows_them(visible, count, tmp_path):
    for name in ("nvidia0", "nvidia1", "nvidia12", "nvidiactl", "nvidia-uvm"):
        (tmp_path / name).write_text("")
    environment = {} if visible is None else {"CUDA_VISIBLE_DEVICES": visible}
    assert count_cards(environment, tmp_path) == count


GPU_JOB = """
import logging, sys
from mafnet.common.devices import choose_device
logging.basicConfig(level=logging.INFO)
print(choose_device("auto", 1).index, flush=True)
sys.stdin.read()
"""


def test_on_gpus_auto_claims_one_and_the_next_job_waits_for_it(tmp_path, monkeypatch):
    torch = pytest.importorskip("torch")
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    first = str(torch.cuda.get_device_properties(0).uuid)
    assert len(first) == 36, "a card's name is its UUID"
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    pipe = subprocess.PIPE
    command = [sys.executable, "-c", GPU_JOB]
    jobs = [subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True)]
    assert cards_of(jobs) == [0]
    jobs.append(subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True))
    assert "other jobs use all 1 GPUs" in jobs[1].stderr.readline()
    jobs[0].kill()
    assert cards_of(jobs[1:]) == [0]
    for job in jobs:
        job.communicate("")
