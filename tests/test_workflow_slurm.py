"""The Slurm profile: some tests need no Slurm, the others use a real Slurm of one machine."""

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time

import pytest
import yaml
from support import slurm_node
from support.tiny_run import METRICS, REPOSITORY, copy_checkout, make_data, start_process

from mafnet.plan.slurm import memory_kills

pytestmark = pytest.mark.workflow

PATIENCE_SECONDS = 900
TARGET = "results/mine/metrics.json"
AFTER_PROBING = ("features", "main", "media.tsv", "metrics.json")
"""All results that depend on the extraction."""
MEMORY_HOG = "python -c 'import time; data = bytes(range(1, 101)) * 12_000_000; time.sleep(5)'"
"""Uses 1.2 GB of memory for some seconds, long enough for Slurm to detect it."""


def command_of_readme():
    """The arguments of the README's command for Slurm."""
    lines = (REPOSITORY / "README.md").read_text().splitlines()
    (command,) = [line for line in lines if line.startswith("    snakemake --workflow-profile")]
    return shlex.split(command)[1:]


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


class Cluster:
    """A checkout with the data set `mine`, in which Snakemake submits its jobs to Slurm."""

    def __init__(self, folder):
        self.folder = copy_checkout(folder)
        make_data(folder)
        tiny = yaml.safe_load((REPOSITORY / "tests/tiny.yaml").read_text())["datasets"]["tiny"]
        config = folder / "config.yaml"
        entry = f"datasets:\n  mine: {json.dumps(tiny)}\n"
        config.write_text(config.read_text().replace("datasets:\n", entry, 1))

    def start(self, *arguments):
        """Start Snakemake in the checkout."""
        command = [sys.executable, "-m", "snakemake", *command_of_readme(), *arguments]
        return start_process(command, self.folder / "output.log", cwd=self.folder)

    def run(self, *arguments, succeeds=True):
        """Run Snakemake to its end; returns its output."""
        status = self.start(*arguments).wait(PATIENCE_SECONDS)
        output = (self.folder / "output.log").read_text()
        assert (status == 0) == succeeds, output
        return output

    def delete(self, *names):
        """Delete existing files and folders in results/mine, to compute them again."""
        for name in names:
            path = self.folder / "results/mine" / name
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)


def wait_for(condition):
    """Wait until a condition is true; returns the condition's value."""
    end = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < end:
        if found := condition():
            return found
        time.sleep(0.1)
    raise AssertionError("the expected state was not reached")


@pytest.fixture(scope="module")
def slurm(tmp_path_factory):
    """A running Slurm, stopped at the end."""
    if shutil.which("slurmd") is None or shutil.which("munged") is None:
        pytest.skip("slurmd or munged is not installed (Debian: slurm-wlm, munge)")
    if os.getuid() != 0:
        pytest.skip("slurmd needs root")
    folder = tmp_path_factory.mktemp("slurm")
    try:
        slurm_node.start(folder)
    except OSError as error:
        pytest.skip(f"Slurm does not start here: {error}")
    yield slurm_node
    slurm_node.stop(folder)


@pytest.fixture(scope="module")
def cluster(slurm, tmp_path_factory):
    """A cluster on which the README's unchanged command has run to its end."""
    cluster = Cluster(tmp_path_factory.mktemp("cluster") / "mafnet")
    cluster.run()
    return cluster


@pytest.fixture
def last(slurm):
    """A function that returns the id of the last job so far."""
    return lambda: max(slurm.jobs(), default=0)


def assert_on_gpu(jobs, count):
    """`count` jobs ran in the partition `gpu`, each with one GPU."""
    found = [(job["JobState"], job["Partition"], job.get("TresPerNode")) for job in jobs]
    assert found == [("COMPLETED", "gpu", "gres:gpu:1")] * count


@pytest.mark.slurm
def test_the_command_of_the_readme_runs_every_job_on_slurm(slurm, cluster):
    assert (cluster.folder / TARGET).exists()
    jobs = slurm.jobs().values()
    assert all(job["JobState"] == "COMPLETED" for job in jobs)
    assert_on_gpu(slurm.of_rule("extract"), 2)
    assert_on_gpu(slurm.of_rule("run"), 2)  # each run's training and evaluation
    others = [job for job in jobs if job["Partition"] != "gpu"]
    assert len(others) == 7
    assert not any("TresPerNode" in job for job in others)


@pytest.mark.slurm
def test_the_numbers_are_those_of_a_local_run(cluster, tmp_path):
    """The local run uses the cluster's cache, as one does that continues on another machine."""
    local = Cluster(tmp_path / "mafnet")
    shutil.copytree(cluster.folder / "cache", local.folder / "cache")
    command = [sys.executable, "-m", "snakemake", "--cores", "2", TARGET]
    process = start_process(command, local.folder / "output.log", cwd=local.folder)
    assert process.wait(PATIENCE_SECONDS) == 0
    log = (local.folder / "logs/features/extract/mine-audio-0000.log").read_text()
    assert "8 videos in the cache, 0 to extract" in log
    found = [json.loads((folder / TARGET).read_text()) for folder in (local.folder, cluster.folder)]
    for metrics in found:
        del metrics["provenance"]
    assert found[0] == found[1]


@pytest.mark.slurm
def test_further_options_keep_gpu_and_partition(slurm, cluster, last):
    before = last()
    cluster.delete(*AFTER_PROBING)
    options = ("--set-resources", "media:runtime=11", "--default-resources", "runtime=12")
    cluster.run(*options, "--resources", "downloads=1", "--group-components", "run=2")
    assert_on_gpu(slurm.of_rule("extract", before), 2)
    shared = slurm.of_rule("run", before)
    assert_on_gpu(shared, 1)
    # Two runs, one after the other: cores and memory of one, and two times 240 + 60 minutes.
    requested = [shared[0][name] for name in ("NumCPUs", "MinMemoryNode", "TimeLimit")]
    assert requested == ["1", "4000M", "10:00:00"]
    assert [job["TimeLimit"] for job in slurm.of_rule("media", before)] == ["00:11:00"]


@pytest.mark.slurm
def test_a_job_that_was_killed_for_memory_is_retried_with_more(slurm, cluster, last):
    before = last()
    rules = cluster.folder / "workflow/rules/report.smk"
    text = rules.read_text()
    rules.write_text(text.replace('"mafnet metrics', f'"{MEMORY_HOG} && mafnet metrics', 1))
    output = cluster.run()
    rules.write_text(text)
    jobs = slurm.of_rule("metrics", before)
    found = [(job["JobState"], job["MinMemoryNode"]) for job in jobs]
    assert found in (
        [("FAILED", "1000M"), ("COMPLETED", "2000M")],
        [("OUT_OF_MEMORY", "1000M"), ("COMPLETED", "2000M")],
    )
    assert f"Slurm killed job {jobs[0]['JobId']} (metrics), because its memory ran out" in output


@pytest.mark.slurm
def test_an_error_of_the_user_is_not_repeated(slurm, cluster, last):
    before = last()
    cluster.delete("metrics.json")
    rules = cluster.folder / "workflow/rules/report.smk"
    text = rules.read_text()
    rules.write_text(
        text.replace('"mafnet metrics', '"mafnet check nowhere 2>&1 | tee {log}; mafnet metrics', 1)
    )
    output = cluster.run(succeeds=False)
    assert "nowhere is not in the config's datasets" in output
    assert "(the error of the first attempt; it is not tried again)" in output
    assert len(slurm.of_rule("metrics", before)) == 2
    rules.write_text(text)
    cluster.run()
    assert slurm.of_rule("metrics", before)[2]["JobState"] == "COMPLETED"


@pytest.mark.slurm
def test_a_model_is_kept_if_its_evaluation_fails(slurm, cluster, last):
    cluster.delete("main", "metrics.json")
    rules = cluster.folder / "workflow/rules/model.smk"
    text = rules.read_text()
    rules.write_text(text.replace('"mafnet evaluate', '"exit 1; mafnet evaluate', 1))
    cluster.run("--retries", "0", "--keep-going", succeeds=False)
    rules.write_text(text)
    models = sorted(cluster.folder.glob("results/mine/main/mafnet/*/model.safetensors"))
    assert len(models) == 2
    trained = [model.stat().st_mtime_ns for model in models]
    cluster.run()
    assert [model.stat().st_mtime_ns for model in models] == trained


@pytest.mark.slurm
def test_ctrl_c_cancels_the_jobs(slurm, cluster, last):
    before = last()
    cluster.delete(*AFTER_PROBING)
    process = cluster.start()
    wait_for(lambda: len(slurm.of_rule("extract", before)) == 2)
    os.killpg(process.pid, signal.SIGINT)
    assert process.wait(PATIENCE_SECONDS) != 0
    assert {job["JobState"] for job in slurm.of_rule("extract", before)} == {"CANCELLED"}


@pytest.mark.slurm
def test_leftover_jobs_of_a_killed_snakemake_are_not_submitted_twice(slurm, cluster, last):
    before = last()
    cluster.delete(*AFTER_PROBING)
    process = cluster.start()
    leftover = wait_for(lambda: slurm.of_rule("extract", before))
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    message = cluster.run(succeeds=False).splitlines()[-1]
    assert "of an earlier snakemake" in message
    assert leftover[0]["JobId"] in message
    subprocess.run(message.split("cancel them: ")[1], shell=True, check=True)
    wait_for(
        lambda: all(job["JobState"] == "CANCELLED" for job in slurm.of_rule("extract", before))
    )
    cluster.run()
    assert (cluster.folder / TARGET).exists()
