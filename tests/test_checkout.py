"""The checkout itself: `make lint` gives the same answer before and after the workflow has run."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def made_folders():
    """The folders at the root that git ignores, because mafnet or a tool makes them."""
    lines = (ROOT / ".gitignore").read_text().splitlines()
    return [name[1] for line in lines if (name := re.fullmatch(r"/?([\w.-]+)/", line))]


def test_folders_that_the_workflow_makes_do_not_change_what_ruff_says(tmp_path):
    """ruff takes a folder at the root for a package; `results/` changed the order of imports."""
    for name in ("mafnet", "tests", "benchmarks"):
        shutil.copytree(
            ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__", "*.npz")
        )
    for name in ("pyproject.toml", "LICENSE", "README.md"):
        shutil.copy(ROOT / name, tmp_path / name)
    assert {"results", "data", "cache", "logs", "weights"} <= set(made_folders())
    for name in made_folders():
        (tmp_path / name).mkdir(exist_ok=True)
    # A file whose name is that of such a folder: its import must stay where it is.
    (tmp_path / "benchmarks/uses_folders.py").write_text(
        "import logs\nimport numpy\nimport results\n\nprint(logs, numpy, results)\n"
    )
    command = [sys.executable, "-m", "ruff", "check", "--no-cache", "."]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
