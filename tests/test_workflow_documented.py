"""The programs accept every command in the documents; those of the demo can be planned."""

import re
import shlex
import subprocess
import sys

import pytest
from support.tiny_run import REPOSITORY

from mafnet.cli import main

PAGES = [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").glob("*.md"))]


def documented(program):
    """The arguments of each indented line that calls a program, without its comment."""
    lines = [line for page in PAGES for line in page.read_text().replace("\\\n", " ").splitlines()]
    found = [line for line in lines if re.match(rf"    {program} ", line)]
    assert found
    return [shlex.split(line, comments=True)[1:] for line in found]


@pytest.mark.parametrize("arguments", documented("mafnet"), ids=" ".join)
def test_mafnet_accepts_the_command(arguments, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    verb, *rest = arguments
    for name in rest:  # files that the reader has
        if name.endswith(".yaml"):
            (tmp_path / name).touch()
        elif "/" in name:
            (tmp_path / name).mkdir(parents=True)
    main.get_command(None, verb).make_context(verb, rest)


@pytest.mark.parametrize("target", sorted({name for each in documented("make") for name in each}))
def test_make_knows_the_target(target):
    subprocess.run(["make", "-n", target], cwd=REPOSITORY, check=True, capture_output=True)


@pytest.mark.parametrize("arguments", documented("snakemake"), ids=" ".join)
def test_snakemake_accepts_the_options(arguments, monkeypatch):
    from snakemake.cli import parse_args

    monkeypatch.chdir(REPOSITORY)
    _, parsed = parse_args(arguments)
    assert parsed.targets
    for path in parsed.configfile or ():
        assert path.exists() or path.name == "mine.yaml"


@pytest.mark.workflow
@pytest.mark.parametrize("config", [None, "benchmarks/hard_demo.yaml"])
def test_targets_of_the_demo_can_be_planned(tmp_path, config):
    option = config or "--configfile"
    commands = [each for each in documented("snakemake") if (option in each) == bool(config)]
    targets = {name for each in commands for name in each if name.startswith("results/demo")}
    assert targets
    command = [sys.executable, "-m", "snakemake", "-n", "--snakefile", REPOSITORY / "Snakefile"]
    command += ["--directory", tmp_path]
    command += ["--configfile", REPOSITORY / config] if config else []
    command += ["--quiet", "rules", "--", *sorted(targets)]
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
