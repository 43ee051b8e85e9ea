"""What the workflow does about Slurm, as far as that needs no Slurm."""

import subprocess

import pytest
from support.tiny_run import METRICS

from mafnet.plan.slurm import memory_kills

pytestmark = pytest.mark.workflow


def test_the_profile_needs_no_number_of_cores(run):
    command = run.command(METRICS, "--workflow-profile", "profiles/slurm")
    cores = command.index("--cores")
    done = subprocess.run(
        command[:cores] + command[cores + 2 :], cwd=run.checkout, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    assert "Nothing to be done" in done.stdout


def test_jobs_that_were_killed_for_memory_are_listed(tmp_path):
    logs = {
        "rule_extract/tiny/7.log": "slurmstepd: error: StepId=7.0 exceeded memory limit (2 > 1)",
        "group_run/8.log": "slurmstepd: error: Detected 1 oom_kill event in StepId=8.0.",
        "rule_media/tiny/9.log": "mafnet media: another error",
    }
    for name, text in logs.items():
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_text(text)
    began = (tmp_path / "rule_extract/tiny/7.log").stat().st_mtime
    listed = [message.split(",")[0] for message in memory_kills(tmp_path, began)]
    assert listed == ["Slurm killed job 8 (run)", "Slurm killed job 7 (extract)"]
    assert list(memory_kills(tmp_path, began + 60)) == []


def test_the_log_of_a_killed_step_gives_the_reason(run, edited):
    command = "python -m mafnet"
    edited("workflow/rules/common.smk", command, f"timeout --signal KILL 0.01 {command}")
    (run.folder / METRICS).unlink()
    run.run(METRICS, succeeds=False)
    assert "most likely because memory ran out" in run.log("report/metrics/tiny.log")
