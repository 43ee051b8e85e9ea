"""The number of cores that a process may use."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from mafnet.common.cores import usable_cores

ROOT = Path(__file__).parents[1]


def test_a_process_that_is_bound_to_one_core_has_one():
    bound = "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})"
    code = f"{bound}; from mafnet.common.cores import usable_cores; print(usable_cores())"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout == "1\n"


@pytest.mark.parametrize(
    ("files", "cores"),
    [
        ({"cpu.max": "150000 100000"}, 2),
        ({"cpu.max": "max 100000"}, 3),
        ({"cpu/cpu.cfs_quota_us": "50000", "cpu/cpu.cfs_period_us": "100000"}, 1),
        ({"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, 3),
        ({"cpu.max": "rubbish"}, 3),
        ({}, 3),
    ],
)
def test_the_quota_of_the_control_group_limits_the_cores(tmp_path, monkeypatch, files, cores):
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {0, 1, 2})
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    assert usable_cores(tmp_path) == cores


def test_the_module_runs_without_the_package_for_the_makefile():
    command = [sys.executable, "-I", ROOT / "mafnet/common/cores.py"]
    said = subprocess.run(command, capture_output=True, text=True, check=True)
    assert int(said.stdout) >= 1
