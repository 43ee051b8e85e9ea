"""A full disk is one line in each command, which names the file and what to do."""

import os
import re
import resource
import shlex
import shutil
import subprocess
import sys
from contextlib import contextmanager, suppress
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from support import miniatures

from mafnet.cli import STEPS, main
from mafnet.common.machine_errors import described

pytestmark = pytest.mark.workflow

TARGETS = (
    "results/tiny/metrics.json",
    "results/tiny/summary.html",
    "results/tiny/studies/attention.csv",
)
ALONE = {"demo", "download", "unpack", "prepare", "fetch", "fetch-network"}
"""Commands that this workflow does not run."""
NOT_HERE = {"convert", "finetune", "evaluate-video"}
"""Steps that need TensorFlow or a video network."""


@pytest.fixture(scope="module")
def planned(finished_run):
    """A command line of each command that the workflow runs; the main variant is trained."""
    printed = finished_run.run(*TARGETS, "--forceall", "-n", "-p").stdout
    found = {}
    for line in re.findall(r"^.*?(mafnet [a-z]+ .*?) 2>&1", printed, re.MULTILINE):
        words = shlex.split(line)[1:]
        if words[0] not in found or "/mafnet/seed0" in line:
            found[words[0]] = without_missing(words, finished_run.folder)
    return found


def without_missing(words: list[str], folder: Path) -> list[str]:
    """A command line without the runs, tables and figures that do not exist."""
    missing = {
        place
        for place, (option, value) in enumerate(pairwise(words))
        if option in ("--run", "--figure", "--study") and not (folder / value).exists()
    }
    return [word for place, word in enumerate(words) if not missing & {place, place - 1}]


@contextmanager
def limited_files(folder: Path):
    """No file can be longer than a semaphore of the system: works everywhere."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (64, hard))
    try:
        yield "File too large"
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@contextmanager
def full_disk(folder: Path):
    """The folder is moved to a file system of its own that has no room."""
    copy = folder.with_name("copy")
    size = sum(path.stat().st_size for path in folder.rglob("*")) + 2_000_000
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    shutil.copytree(folder, copy)
    if subprocess.run(command, capture_output=True).returncode:
        pytest.skip("only root can mount a file system here")
    try:
        shutil.copytree(copy, folder, dirs_exist_ok=True)
        with suppress(OSError), (folder / "filler").open("wb", buffering=0) as file:
            while True:
                file.write(bytes(4096))
        yield "No space left on device"
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def complaints(command: list[str], reason: str) -> list[str]:
    """What is wrong with the answer of a command that cannot write; empty if nothing is."""
    before = set(Path().rglob("*"))
    result = CliRunner().invoke(main, command)
    last = (result.output.splitlines() or [""])[-1]
    wrong = []
    if result.exit_code != 1 or not isinstance(result.exception, SystemExit):
        wrong.append(f"{command[0]}: ended with {result.exception!r}")
    expected = rf"mafnet {command[0]}: [^ ]+: .*\({reason}\).*; (free|.*disk has free space)"
    if not re.match(expected, last):
        wrong.append(f"{command[0]}: {last}")
    left = {path.name for path in set(Path().rglob("*")) - before if path.is_file()}
    # What was downloaded continues, and a file that is shorter than the limit is whole.
    if any(not name.endswith(".part") and name != "ReadMe.txt" for name in left):
        wrong.append(f"{command[0]}: leaves {left}")
    return wrong


def test_too_little_memory_names_a_setting():
    for allocate, error in ((np.empty, MemoryError), (torch.empty, RuntimeError)):
        with pytest.raises(error) as caught:
            allocate(1 << 55)
        assert re.match(
            r"memory ran out \(.+\); a smaller model\.training\.batch_size ",
            described(caught.value, "train"),
        )
    assert described(torch.OutOfMemoryError("CUDA out of memory. Tried to allocate"), "train")
    assert described(RuntimeError("shapes cannot be multiplied"), "train") is None
    assert described(FileNotFoundError(2, "No such file"), "train") is None


@pytest.mark.parametrize("megabytes", [700, 2500])
def test_memory_that_runs_out_in_a_command_is_one_line(tmp_path, megabytes):
    (tmp_path / "m.csv").write_text("sample,video,label,subset\na,a.mp4,x,train\nb,b.mp4,y,val\n")
    settings = (
        '{"video": {"clips": 1}, "features": {"backbone": "vggish", "weights": "random"},'
        ' "random": {"seed": 0, "calibration_videos": 1}}'
    )
    command = ["calibrate", "--manifest", "m.csv", "--root", ".", "--output", "out"]
    size = megabytes * 1_000_000  # torch needs about 3 GB of addresses
    done = subprocess.run(
        [sys.executable, "-m", "mafnet", *command, "--settings", settings, "--threads", "1"],
        cwd=tmp_path, capture_output=True, text=True,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (size, size)),
    )  # fmt: skip
    assert done.returncode == 1
    expected = r"mafnet calibrate: memory ran out \(.+\); .* --resources mem_mb=MEGABYTES limits"
    assert re.match(expected, done.stderr.strip().splitlines()[-1]), done.stderr


def test_every_command_is_tested(planned):
    every = {command.name for commands in STEPS.values() for command in commands}
    assert every == set(planned) | ALONE | NOT_HERE


@pytest.mark.parametrize("fault", [limited_files, full_disk])
def test_full_disk_is_one_line_in_each_command_of_the_workflow(fault, planned, run, monkeypatch):
    shutil.rmtree(run.folder / "logs")
    monkeypatch.chdir(run.folder)
    with fault(run.folder) as reason:
        monkeypatch.chdir(run.folder)
        found = [wrong for words in planned.values() for wrong in complaints(words, reason)]
        monkeypatch.undo()
    assert "\n".join(found) == ""


@pytest.mark.parametrize("fault", [limited_files, full_disk])
def test_full_disk_is_one_line_in_each_other_command(fault, tmp_path, monkeypatch):
    folder = tmp_path / "folder"
    files = miniatures.ave_files(miniatures.clips(tmp_path))
    miniatures.write_files(folder / "lists", files)
    miniatures.write_zip(folder / "ave.zip", files)
    for name in ("videos.zip", "densenet201-c1103571.pth", "rgb_imagenet.pt"):
        (folder / name).write_bytes(bytes(1000))
    monkeypatch.setenv("MAFNET_MIRROR", str(folder))
    commands = [
        "demo --root demo --settings {}",
        "download --source ave --folder downloads --output out.tsv",
        "unpack --source ave --archive ave.zip --folder unpacked --output out.tsv",
        "prepare --source ave --split official --root lists --settings {} --output out.csv",
        "fetch --backbone densenet201 --name imagenet1k_v1 --folder weights --output out",
        "fetch-network --network i3d --folder weights --output out",
    ]
    with fault(folder) as reason:
        monkeypatch.chdir(folder)
        found = [wrong for line in commands for wrong in complaints(line.split(), reason)]
        monkeypatch.undo()
    assert "\n".join(found) == ""
    assert {line.split()[0] for line in commands} == ALONE
