"""The profiles: their keys are known, and stand-ins for a scheduler run the generic one."""

import importlib.util
import os
import re
import shutil
import subprocess
import sys

import pytest
import yaml
from support.tiny_run import METRICS, REPOSITORY

PROFILES = sorted(path.parent.name for path in REPOSITORY.glob("profiles/*/config.yaml"))
COMMON = yaml.safe_load((REPOSITORY / "profiles/default/config.yaml").read_text())
NOT_RUN = {"aws-batch", "kubernetes", "lsf"}

pytestmark = pytest.mark.workflow


def profile(name):
    """The keys of a profile."""
    return yaml.safe_load((REPOSITORY / f"profiles/{name}/config.yaml").read_text())


def require_plugins(name):
    """Skip the test if a plugin that a profile needs is not installed."""
    keys = profile(name)
    modules = [f"snakemake_executor_plugin_{keys.get('executor', 'slurm').replace('-', '_')}"]
    if "default-storage-provider" in keys:
        modules.append(f"snakemake_storage_plugin_{keys['default-storage-provider']}")
    for module in modules:
        if importlib.util.find_spec(module) is None:
            pytest.skip(f"{module} is not installed (pip install -e '.[clusters]')")


def parsed(folder):
    """Let Snakemake and its plugins read a profile; returns the exit status and the messages."""
    command = [sys.executable, "-m", "snakemake", "--list-rules", "--workflow-profile", folder]
    done = subprocess.run(
        command, cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        check=False,
    )  # fmt: skip
    return done.returncode, done.stdout


@pytest.mark.parametrize("name", PROFILES)
def test_every_profile_has_the_keys_of_the_default_one(name):
    keys = profile(name)
    assert {key: keys.get(key) for key in COMMON} == COMMON


@pytest.mark.parametrize("name", PROFILES)
def test_snakemake_and_the_plugins_know_every_key(name, tmp_path):
    require_plugins(name)
    status, text = parsed(REPOSITORY / "profiles" / name)
    assert (status, "extract (" in text) == (0, True), text
    # A wrong key is found this way: else the test could not fail.
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(profile(name) | {"no-such-key": 1}))
    assert parsed(tmp_path)[0] != 0


@pytest.mark.parametrize("name", PROFILES)
def test_a_profile_that_was_not_run_says_so(name):
    text = (REPOSITORY / f"profiles/{name}/config.yaml").read_text()
    assert bool(re.search(r"State: only parsed, with version [\d.]+", text)) == (name in NOT_RUN)


QSUB = """#!/usr/bin/env bash
# Runs the job in the background, and prints its id.
id=$(($(ls {folder} | grep -c options) + 1))
echo "$@" >{folder}/$id.options
(bash "${{@: -1}}" >{folder}/$id.log 2>&1; echo $? >{folder}/$id.status) >/dev/null 2>&1 &
echo $id
"""
QSTAT = "#!/usr/bin/env bash\ntest ! -e {folder}/$2.status\n"
QACCT = "#!/usr/bin/env bash\necho exit_status    $(cat {folder}/$2.status)\n"


@pytest.fixture
def scheduler(tmp_path, monkeypatch):
    """Stand-ins for the programs of Grid Engine; returns the folder of the submitted jobs."""
    programs, jobs = tmp_path / "programs", tmp_path / "jobs"
    programs.mkdir()
    jobs.mkdir()
    for name, text in {"qsub": QSUB, "qstat": QSTAT, "qacct": QACCT}.items():
        (programs / name).write_text(text.format(folder=jobs))
        (programs / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    return jobs


def test_the_generic_profile_submits_every_job_with_its_requests(run, scheduler):
    require_plugins("cluster-generic")
    (run.folder / "profiles").symlink_to(run.checkout / "profiles")
    shutil.rmtree(run.folder / "results/tiny/main")
    (run.folder / METRICS).unlink()
    command = run.command(METRICS, "--workflow-profile", "profiles/cluster-generic")
    cores = command.index("--cores")
    done = subprocess.run(
        [*command[:cores], *command[cores + 2 :], "--seconds-between-status-checks", "1"],
        cwd=run.checkout, env=os.environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    assert (run.folder / METRICS).exists()
    asked = sorted(re.findall(r"-N mafnet\.(\w+) .* -l gpu=(\d)", "".join(
        path.read_text() for path in scheduler.glob("*.options"))))  # fmt: skip
    # The name of a group job is GROUP: two runs, each with training and evaluation.
    assert asked == [("GROUP", "1"), ("GROUP", "1"), ("metrics", "0")]
