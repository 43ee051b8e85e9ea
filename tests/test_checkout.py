"""The checkout: `make lint` has the same result before and after a run of the workflow."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def ignored_folders():
    """The folders at the root that git ignores, because mafnet or a tool creates them."""
    lines = (ROOT / ".gitignore").read_text().splitlines()
    return [name[1] for line in lines if (name := re.fullmatch(r"/?([\w.-]+)/", line))]


def test_folders_of_the_workflow_do_not_change_the_result_of_ruff(tmp_path):
    """Ruff treats a folder at the root as a package, so `results/` changed the order of imports."""
    for name in ("mafnet", "tests", "benchmarks"):
        shutil.copytree(
            ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__", "*.npz")
        )
    for name in ("pyproject.toml", "LICENSE", "README.md"):
        shutil.copy(ROOT / name, tmp_path / name)
    assert {"results", "data", "cache", "logs", "weights"} <= set(ignored_folders())
    for name in ignored_folders():
        (tmp_path / name).mkdir(exist_ok=True)
    # Imports of modules with the names of such folders must keep their position.
    (tmp_path / "benchmarks/uses_folders.py").write_text(
        "import logs\nimport numpy\nimport results\n\nprint(logs, numpy, results)\n"
    )
    command = [sys.executable, "-m", "ruff", "check", "--no-cache", "."]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
