"""The container recipes: no engine runs here, so their steps are checked and tried without one."""

import re
import shlex
import shutil
import subprocess
import sys
import tomllib

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from support.tiny_run import REPOSITORY, planned_jobs

DOCKERFILE = REPOSITORY / "Dockerfile"
RECIPE = REPOSITORY / "apptainer.def"
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())


def instructions():
    """The instructions of the Dockerfile as (name, rest), with continued lines joined."""
    text = re.sub(r"^#.*\n", "", DOCKERFILE.read_text(), flags=re.MULTILINE)
    lines = re.sub(r"\\\n\s*", "", text).splitlines()
    return [tuple(line.split(maxsplit=1)) for line in lines if line.strip()]


def sections():
    """The sections of Apptainer's recipe: name -> lines, with continued lines joined."""
    text = re.sub(r"^#.*\n", "", RECIPE.read_text(), flags=re.MULTILINE)
    head, *parts = re.split(r"^%(\w+)\n", re.sub(r"\\\n\s*", "", text), flags=re.MULTILINE)
    found = {"head": head, **dict(zip(parts[::2], parts[1::2], strict=True))}
    return {name: [line.strip() for line in part.splitlines() if line.strip()]
            for name, part in found.items()}  # fmt: skip


def copied():
    """The paths of the checkout that the Dockerfile copies."""
    rows = [shlex.split(rest) for name, rest in instructions() if name == "COPY"]
    assert all(row[-1] == "./" or row == [row[0]] * 2 for row in rows)  # each keeps its name
    return [path for row in rows for path in row[:-1]]


def commands():
    """The shell commands of the Dockerfile."""
    return [rest for name, rest in instructions() if name == "RUN"]


def in_lock():
    """The names of the packages in requirements.lock."""
    lines = (REPOSITORY / "requirements.lock").read_text().splitlines()
    rows = [line.removesuffix(" \\") for line in lines if line[:1].isalnum()]
    return {canonicalize_name(Requirement(row).name) for row in rows}


def test_every_copied_path_is_in_the_repository():
    tracked = subprocess.run(
        ["git", "ls-files", "--", *copied()], cwd=REPOSITORY, capture_output=True, text=True,
        check=True,
    ).stdout.splitlines()  # fmt: skip
    assert {path.split("/")[0] for path in tracked} == set(copied())


def test_the_base_is_a_python_of_the_project_and_has_a_fixed_version():
    base = dict(instructions())["FROM"]
    version = re.fullmatch(r"python:(3\.\d+)-slim-\w+", base)[1]
    assert (
        version in re.search(r"^VERSIONS := (.*)$", (REPOSITORY / "Makefile").read_text(), re.M)[1]
    )
    assert f"From: {base}" in sections()["head"]


def test_packages_come_from_the_lock_and_no_cache_stays_in_the_image():
    (install,) = [command for command in commands() if "pip install" in command]
    words = shlex.split(install)
    kept = words.index("versions.txt")
    assert words[: kept + 1] == ["grep", "-o", words[2], "requirements.lock", ">", "versions.txt"]
    assert words[words.index("--constraint") + 1] == "versions.txt"
    lines = subprocess.run(
        words[:4], cwd=REPOSITORY, capture_output=True, text=True, check=True
    ).stdout.splitlines()  # fmt: skip
    assert {canonicalize_name(Requirement(line).name) for line in lines} == in_lock()
    assert "--no-cache-dir" in words
    extras = re.fullmatch(r"\.\[(.*)\]", words[-1])[1].split(",")
    optional = PROJECT["project"]["optional-dependencies"]
    needed = PROJECT["project"]["dependencies"] + [row for name in extras for row in optional[name]]
    assert {canonicalize_name(Requirement(row).name) for row in needed} <= in_lock()
    (apt,) = [command for command in commands() if "apt-get" in command]
    assert "ffmpeg" in apt.split()
    assert "--no-install-recommends" in apt
    assert apt.endswith("rm -rf /var/lib/apt/lists/*")


def test_the_image_does_not_run_as_root():
    names = [name for name, _ in instructions()]
    user = dict(instructions())["USER"]
    assert user not in ("root", "0")
    assert any(f"useradd --create-home {user}" in command for command in commands())
    assert names.index("USER") > max(i for i, name in enumerate(names) if name == "RUN")
    assert names[-1] == "ENTRYPOINT"


def test_both_recipes_have_the_same_steps():
    parts = sections()
    assert parts["files"] == [f"{path} /opt/mafnet/{path}" for path in copied()]
    steps = [command for command in commands() if "useradd" not in command]
    assert [line for line in parts["post"] if not line.startswith("cd ")] == steps
    start = " ".join(shlex.split(re.sub(r"[\[\],]", " ", dict(instructions())["ENTRYPOINT"])))
    assert parts["runscript"] == [f'exec {start} "$@"']


@pytest.mark.parametrize("recipe", [DOCKERFILE, RECIPE])
def test_the_readme_has_the_commands_of_the_recipes(recipe):
    lines = [line.removeprefix("#     ") for line in recipe.read_text().splitlines()
             if line.startswith("#     ")]  # fmt: skip
    assert lines
    readme = (REPOSITORY / "README.md").read_text()
    for line in lines:
        assert f"\n    {line}\n" in readme


@pytest.mark.workflow
def test_the_copied_files_are_enough_for_the_workflow_and_for_pip(tmp_path):
    image, work = tmp_path / "image", tmp_path / "work"
    image.mkdir()
    work.mkdir()
    for path in copied():
        source = REPOSITORY / path
        if source.is_dir():
            shutil.copytree(source, image / path, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, image / path)
    command = [
        sys.executable,
        "-m",
        "snakemake",
        "--snakefile",
        image / "Snakefile",
        "--cores",
        "8",
    ]
    done = subprocess.run(
        [*command, "results/demo/metrics.json", "-n", "--quiet", "rules"], cwd=work,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=True,
    )  # fmt: skip
    assert planned_jobs(done.stdout)["demo"] == 1
    build = "import hatchling.build as b; b.build_editable('.')"
    subprocess.run([sys.executable, "-c", build], cwd=image, check=True, stdout=subprocess.DEVNULL)
    assert list(image.glob("*.whl"))
