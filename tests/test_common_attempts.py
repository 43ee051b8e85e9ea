"""A retry of a cluster job does not repeat an error of the user."""

import os
import subprocess
import sys

from support.tiny_run import REPOSITORY

from mafnet.common.attempts import forget_errors

MISSING = ("probe", "--manifest", "manifest.csv", "--root", ".", "--output", "media.tsv")
JOB = "probe:dataset=mine,shard=0000"


def attempt(folder, jobs):
    """Run `mafnet` as a cluster job does; returns the exit status and the messages."""
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY), "MAFNET_JOBS": jobs}
    command = [sys.executable, "-m", "mafnet", *MISSING]
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stderr


def test_the_second_attempt_ends_with_the_error_of_the_first(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    manifest = tmp_path / "manifest.csv"
    manifest.write_text("sample,video,label,subset\na,gone.mp4,x,nowhere\n")
    status, message = attempt(tmp_path, JOB)
    assert status == 1
    assert "subset 'nowhere'" in message
    # The error is repaired: only a record of the first attempt can still give it.
    manifest.write_text("sample,video,label,subset\na,gone.mp4,x,test\n")
    status, again = attempt(tmp_path, f"another:\n{JOB}")
    assert status == 1
    assert again == f"{message.strip()} (the error of the first attempt; it is not tried again)\n"
    # The next invocation of Snakemake forgets it.
    forget_errors()
    assert attempt(tmp_path, JOB)[0] == 0


def test_other_jobs_and_local_runs_are_not_concerned(tmp_path):
    (tmp_path / "manifest.csv").write_text("sample,video,label,subset\n")
    for jobs in (JOB, ""):
        assert attempt(tmp_path, jobs)[0] == 1
    (tmp_path / "manifest.csv").write_text("sample,video,label,subset\na,gone.mp4,x,test\n")
    assert attempt(tmp_path, "probe:dataset=mine,shard=0001")[0] == 0
    assert attempt(tmp_path, "")[0] == 0
