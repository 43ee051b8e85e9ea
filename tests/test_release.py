"""What a release states about itself agrees: version, citation, licences."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import yaml
from click.testing import CliRunner

from mafnet import __version__
from mafnet.cli import FOR_PEOPLE, STEPS, main

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def test_the_version_is_the_same_everywhere():
    """pyproject.toml takes it from the package; a tag must be the first heading of CHANGELOG.md."""
    assert PROJECT["tool"]["hatch"]["version"]["path"] == "mafnet/__init__.py"
    assert "version" in PROJECT["project"]["dynamic"]
    said = subprocess.run(
        [sys.executable, "-m", "mafnet", "--version"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    newest = re.search(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)[1]
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text())["version"]
    assert said.split()[-1] == newest == cited == __version__
    tags = subprocess.run(
        ["git", "tag", "--points-at", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False
    ).stdout.split()
    assert all(tag == f"v{__version__}" for tag in tags if re.match(r"v\d", tag))


def test_the_citation_names_the_paper_and_the_licence():
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert {"cff-version", "message", "title", "authors"} <= set(cited)
    assert cited["license"] == PROJECT["project"]["license"]
    assert cited["references"][0]["url"].endswith("2106.06736")


def test_every_dependency_has_a_line_about_its_licence():
    text = (ROOT / "THIRD_PARTY_LICENSES.md").read_text()
    extras = PROJECT["project"]["optional-dependencies"]
    lines = PROJECT["project"]["dependencies"] + [
        line for group in extras.values() for line in group
    ]
    names = {re.match(r"[A-Za-z0-9_.-]+", line)[0] for line in lines}
    missing = {name for name in names if not re.search(rf"^\| {re.escape(name)} \|", text, re.M)}
    assert not missing


def test_commands_are_called_by_their_names():
    """In an activated environment; only the Makefile, which makes it, names its folder."""
    listed = subprocess.run(
        ["git", "ls-files", "*.md", "*.py", "*.smk", "*.j2", "*.yaml", "*.rst"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout.split()  # fmt: skip
    assert "README.md" in listed
    folder = re.compile(r"[.]venv/bin/(?!activate)")
    named = [name for name in listed if folder.search((ROOT / name).read_text(errors="replace"))]
    assert not named


def test_help_separates_the_commands_for_people_from_the_steps_of_the_workflow():
    people, *steps = CliRunner().invoke(main, ["--help"]).stdout.split("\nSteps that the workflow")
    verbs = [re.findall(r"^  ([a-z][a-z-]*)  ", part, re.MULTILINE) for part in (people, *steps)]
    assert verbs[0] == [each.name for each in FOR_PEOPLE]
    assert verbs[1:] == [[each.name for each in stage] for stage in STEPS.values()]
