"""The commands of a finished run import no slow package that they do not need."""

import os
import re
import shlex
import shutil
import subprocess
import sys

import pytest
from support.tiny_run import METRICS, Workflow

STUDY = {"report": {"studies": {"alone": ["mafnet"]}}}
SLOW = {"torch", "torchvision", "openvino", "tensorflow", "matplotlib", "sklearn", "scipy"}
"""Each takes half a second to five seconds to import."""


@pytest.fixture(scope="module")
def finished(finished_run, tmp_path_factory):
    """A copy of the finished run, and the arguments of the last job of each rule."""
    folder = tmp_path_factory.mktemp("imports") / "run"
    shutil.copytree(finished_run.folder, folder)
    workflow = Workflow(finished_run.checkout, folder)
    targets = (METRICS, "results/tiny/studies/alone.csv")
    text = workflow.run(*targets, "-np", "--forcerun", "probe", change=STUDY).stdout
    found = re.findall(r"mafnet (\w+) (.*) 2>&1 \| tee", text)
    return workflow, {verb: shlex.split(arguments) for verb, arguments in found}


@pytest.mark.parametrize(
    ("verb", "needed"),
    [
        ("probe", set()),
        ("extract", set()),
        ("media", set()),
        ("pack", {"h5py"}),
        ("metrics", {"pandas", "scipy", "sklearn"}),
        ("study", {"pandas", "scipy", "sklearn"}),
    ],
)
def test_finished_commands_import_no_slow_package(finished, verb, needed):
    """`extract` finds every video in the cache, so it needs no torch and saves 5 s of imports."""
    workflow, commands = finished
    command = [sys.executable, "-X", "importtime", "-m", "mafnet", verb, *commands[verb]]
    environment = os.environ | {"PYTHONPATH": str(workflow.checkout)}
    done = subprocess.run(
        command, cwd=workflow.folder, env=environment, capture_output=True, text=True, check=True
    )
    imported = set(re.findall(r"^import time:.*\| +(\w+)$", done.stderr, re.MULTILINE))
    assert "click" in imported
    assert imported & (SLOW | {"pandas", "h5py"}) == needed
