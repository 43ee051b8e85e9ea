"""What the workflow does about Slurm, as far as that needs no Slurm."""

import os
import subprocess

import pytest
from support.tiny_run import METRICS

from mafnet.plan import slurm
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


def test_only_the_jobs_of_this_directory_are_awaited(tmp_path, monkeypatch):
    """With a stand-in for squeue, whose jobs end one after the other."""
    queue = tmp_path / "queue"
    queue.write_text(
        f"7|rule_train_x|{tmp_path}\n8|rule_run_y|{tmp_path}\n9|mine|{tmp_path}\n"
        "10|rule_train_x|/elsewhere\n"
    )
    squeue = tmp_path / "squeue"
    squeue.write_text(f"#!/bin/sh\ncat {queue}\nsed -i '1{{/rule_/d}}' {queue}\n")
    squeue.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr(slurm, "SECONDS_BETWEEN", 0)
    said = []
    assert slurm.await_leftover_jobs(tmp_path, said.append)
    assert said[0].startswith(f"2 jobs of an earlier snakemake in {tmp_path} are in Slurm")
    assert said[0].endswith("cancel them: scancel 7 8")
    assert queue.read_text().startswith("9|mine")
    assert not slurm.await_leftover_jobs(tmp_path, said.append)
    assert len(said) == 1
