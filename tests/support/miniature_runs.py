"""Runs the workflow on small copies of data sets, from an archive to metrics.json."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]

SETTINGS = {
    "video": {"clips": 1},
    "features": {
        "visual": {"weights": "random"},
        "audio": {"weights": "random"},
        "random": {"calibration_videos": 2},
    },
    "model": {
        "seeds": [0],
        "network": {"hidden": 16, "bn_momentum": 0.1},
        "training": {"max_epochs": 2, "batch_size": 4},
    },
}
"""One clip per video and two epochs, because accuracy is not tested."""


def write_config(folder: Path, datasets: dict, **settings) -> Path:
    """A file for --configfile with small settings and the given data sets."""
    path = folder / "settings.yaml"
    path.write_text(yaml.safe_dump(SETTINGS | settings | {"datasets": datasets}))
    return path


def snakemake(folder: Path, config: Path, *arguments: str) -> subprocess.CompletedProcess:
    """Run snakemake on one core in a folder; the result has its output."""
    command = [
        *(sys.executable, "-m", "snakemake", *arguments, "--cores", "1"),
        *("--snakefile", str(ROOT / "Snakefile")),
        "--directory", str(folder), "--configfile", str(ROOT / "config.yaml"), str(config),
    ]  # fmt: skip
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    return subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment
    )


def metrics_of(folder: Path, config: Path, dataset: str) -> tuple[dict, str]:
    """metrics.json of a data set from a new run, and the output of the run."""
    target = f"results/{dataset}/metrics.json"
    done = snakemake(folder, config, target)
    assert done.returncode == 0, done.stdout[-8000:]
    return json.loads((folder / target).read_text()), done.stdout


def planned(output: str) -> dict[str, int]:
    """The number of jobs of each rule in the output of a dry run."""
    rows = re.findall(r"^(\w+) +(\d+)$", output, re.MULTILINE)
    return {rule: int(count) for rule, count in rows if rule != "total"}


def mafnet(folder: Path, *arguments: object) -> subprocess.CompletedProcess:
    """Run a mafnet command in a folder."""
    command = [sys.executable, "-m", "mafnet", *map(str, arguments)]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, env=environment)
