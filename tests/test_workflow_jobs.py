"""A cluster job's own Snakemake needs the same time and memory for a data set of any size."""

import base64
import os
import shutil
import subprocess
import sys

import pytest
from support.tiny_run import Workflow, planned_jobs

JOBS = {
    "probe": "probe:dataset=tiny,shard=0000",
    "extract": "extract:dataset=tiny,modality=audio,shard=0000",
    "media": "media:dataset=tiny",
    "train": "train:dataset=tiny,split=main,variant=mafnet,seed=0",
}

pytestmark = pytest.mark.workflow


def spoil(manifest):
    """Damage all rows except the first four, and keep size and time: the lists stay valid."""
    before = manifest.stat()
    lines = manifest.read_text().splitlines(keepends=True)
    manifest.write_text("".join(lines[:5]) + '"' * sum(map(len, lines[5:])))
    os.utime(manifest, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert manifest.stat().st_size == before.st_size


@pytest.fixture(scope="module")
def spoilt(finished_run, tmp_path_factory):
    """A run whose shards are listed and whose manifest can no longer be read."""
    folder = tmp_path_factory.mktemp("jobs") / "run"
    shutil.copytree(finished_run.folder, folder)
    spoil(folder / "manifest.csv")
    return Workflow(finished_run.checkout, folder)


def own_job(rule):
    """The options of a job's own Snakemake."""
    job = ("--target-jobs", JOBS[rule], "--allowed-rules", rule)
    return ("--mode", "remote", "--no-hooks", "--force", *job)


@pytest.mark.parametrize("rule", JOBS)
def test_a_job_considers_its_own_rule_and_does_not_read_the_manifests(spoilt, rule):
    text = spoilt.run("-n", "--quiet", "rules", *own_job(rule)).stdout
    assert planned_jobs(text) == {rule: 1}


def test_probing_a_shard_does_not_read_the_manifests(spoilt):
    table = spoilt.folder / "results/tiny/media/0000.tsv"
    before = table.read_bytes()
    table.unlink()
    command = [sys.executable, "-m", "mafnet", "probe", "--manifest", "manifest.csv"]
    command += ["--shard", "0000", "--root", "videos", "--output", table]
    environment = os.environ | {"PYTHONPATH": str(spoilt.checkout)}
    subprocess.run(command, cwd=spoilt.folder, env=environment, check=True)
    assert table.read_bytes() == before


def test_a_retry_ends_with_the_error_of_the_first_attempt(run):
    """Even if it would succeed now."""
    table = run.folder / "results/tiny/media/0000.tsv"
    good = table.read_bytes()
    table.write_bytes(b"damaged")
    run.run(*own_job("media"), succeeds=False)
    table.write_bytes(good)
    text = run.run(*own_job("media"), "--attempt", "2", succeeds=False).stdout
    assert "media/0000.tsv: is damaged or was changed after it was written" in text
    assert "it is not tried again" in text


def test_a_job_records_what_it_made_itself(run):
    """So it is complete even if the Snakemake that submitted it was killed."""
    name = base64.b64encode(b"results/tiny/media.tsv").decode()
    record = run.folder / ".snakemake/metadata" / name
    record.unlink()
    run.run(*own_job("media"))
    assert record.exists()
    assert run.planned() == {}
