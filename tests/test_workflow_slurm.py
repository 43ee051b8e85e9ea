"""The Slurm profile with a real Slurm of one machine; Slurm's own records say what ran."""

import os
import shutil
import signal

import pytest
from support import slurm_node
from support.cluster import TARGET, Cluster, cards, wait_for

pytestmark = [pytest.mark.workflow, pytest.mark.slurm]

AFTER_PROBING = ("features", "main", "media.tsv", "metrics.json")
"""All results that depend on the extraction."""
RUNS = ("main", "metrics.json")
MEMORY_HOG = "python -c 'import time; data = bytes(range(1, 101)) * 12_000_000; time.sleep(5)' &&"
"""Uses 1.2 GB of memory for some seconds, long enough for Slurm to detect it."""


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
    cluster.first = cluster.numbers()
    return cluster


@pytest.fixture
def last(slurm):
    """The id of the last job before the test."""
    return max(slurm.jobs(), default=0)


def assert_on_gpu(jobs, count):
    """`count` jobs ran in the partition `gpu`, each with one GPU."""
    found = [(job["JobState"], job["Partition"], job.get("TresPerNode")) for job in jobs]
    assert found == [("COMPLETED", "gpu", "gres:gpu:1")] * count


def test_the_command_of_the_readme_runs_every_job_on_slurm(slurm, cluster):
    assert (cluster.folder / TARGET).exists()
    jobs = slurm.jobs().values()
    assert all(job["JobState"] == "COMPLETED" for job in jobs)
    assert_on_gpu(slurm.of_rule("extract"), 2)
    assert_on_gpu(slurm.of_rule("run"), 2)  # each run's training and evaluation
    others = sorted(slurm.rule_of(job) for job in jobs if job["Partition"] != "gpu")
    assert others == ["calibrate"] * 2 + ["media", "metrics"] + ["pack"] * 2 + ["probe", "screen"]
    assert not any("TresPerNode" in job for job in jobs if job["Partition"] != "gpu")


def test_a_run_begun_on_a_laptop_goes_on_on_the_cluster_with_the_same_numbers(
    slurm, cluster, last, tmp_path
):
    laptop = Cluster(tmp_path / "mafnet")
    shutil.copytree(cluster.folder / "cache", laptop.folder / "cache")
    laptop.run_here()
    log = laptop.log("features/extract/mine-audio-0000.log")
    assert "8 videos in the cache, 0 to extract" in log
    assert laptop.numbers() == cluster.first
    laptop.delete(*RUNS)
    laptop.run()
    assert sorted(slurm.rules_of_jobs(last)) == ["metrics", "run", "run"]
    assert laptop.numbers() == cluster.first


def test_ctrl_c_cancels_the_jobs_which_have_different_gpus(slurm, cluster, last):
    cluster.delete(*AFTER_PROBING)
    process = cluster.start()
    wait_for(lambda: sorted(cards(slurm.of_rule("extract", last))) == ["0", "1"])
    cluster.stop(process, signal.SIGINT)
    assert [job["JobState"] for job in slurm.of_rule("extract", last)] == ["CANCELLED"] * 2
    assert slurm.waiting_or_running() == []


def test_further_options_keep_gpu_and_partition(slurm, cluster, last):
    cluster.delete(*AFTER_PROBING)
    options = ("--set-resources", "media:runtime=11", "--default-resources", "runtime=12")
    cluster.run(*options, "--resources", "downloads=1", "--group-components", "run=2")
    assert_on_gpu(slurm.of_rule("extract", last), 2)
    shared = slurm.of_rule("run", last)
    assert_on_gpu(shared, 1)
    # Two runs, one after the other: cores and memory of one, and two times 240 + 60 minutes.
    requested = [shared[0][name] for name in ("NumCPUs", "MinMemoryNode", "TimeLimit")]
    assert requested == ["1", "4000M", "10:00:00"]
    assert [job["TimeLimit"] for job in slurm.of_rule("media", last)] == ["00:11:00"]


def test_a_job_that_was_killed_for_memory_is_retried_with_more(slurm, cluster, last):
    cluster.delete("metrics.json")
    with cluster.edited("report.smk", "mafnet metrics", MEMORY_HOG):
        output = cluster.run()
    jobs = slurm.of_rule("metrics", last)
    found = [(job["JobState"], job["MinMemoryNode"]) for job in jobs]
    assert found in (
        [("FAILED", "1000M"), ("COMPLETED", "2000M")],
        [("OUT_OF_MEMORY", "1000M"), ("COMPLETED", "2000M")],
    )
    assert f"Slurm killed job {jobs[0]['JobId']} (metrics), because its memory ran out" in output


def test_an_error_of_the_user_is_not_repeated(slurm, cluster, last):
    cluster.delete("metrics.json")
    with cluster.edited("report.smk", "mafnet metrics", "mafnet check nowhere 2>&1 | tee {log};"):
        output = cluster.run(succeeds=False)
    assert "nowhere is not in the config's datasets" in output
    assert [job["JobState"] for job in slurm.of_rule("metrics", last)] == ["FAILED"]
    cluster.run()
    found = [job["JobState"] for job in slurm.of_rule("metrics", last)]
    assert found == ["FAILED", "COMPLETED"]


def test_a_model_is_kept_if_its_evaluation_fails(slurm, cluster):
    cluster.delete(*RUNS)
    with cluster.edited("model.smk", "mafnet evaluate", "exit 1;"):
        cluster.run("--retries", "0", "--keep-going", succeeds=False)
    models = sorted(cluster.folder.glob("results/mine/main/mafnet/*/model.safetensors"))
    assert len(models) == 2
    trained = [model.stat().st_mtime_ns for model in models]
    cluster.run()
    assert [model.stat().st_mtime_ns for model in models] == trained
    assert cluster.numbers() == cluster.first


def test_after_a_kill_the_same_command_neither_loses_nor_repeats_jobs(slurm, cluster, last):
    cluster.delete(*RUNS)
    process = cluster.start()
    leftover = wait_for(lambda: len(slurm.of_rule("run", last)) == 2 and slurm.of_rule("run", last))
    cluster.stop(process, signal.SIGKILL)
    output = cluster.run()
    assert "2 jobs of an earlier snakemake" in output
    assert f"scancel {' '.join(job['JobId'] for job in leftover)}" in output
    assert sorted(slurm.rules_of_jobs(last)) == ["metrics", "run", "run"]
    assert cluster.numbers() == cluster.first


def test_the_jobs_of_a_node_that_crashes_run_again(slurm, cluster, last):
    cluster.delete(*RUNS)
    process = cluster.start()

    def running():
        jobs = slurm.of_rule("run", last)
        return [job["JobState"] for job in jobs] == ["RUNNING"] * 2

    wait_for(running)
    slurm.crash()
    slurm.boot()
    assert process.wait(900) == 0, (cluster.folder / "output.log").read_text()
    jobs = slurm.of_rule("run", last)
    assert sum(job["JobState"] == "COMPLETED" for job in jobs) == 2
    assert len(jobs) + sum(int(job["Restarts"]) for job in jobs) == 4
    assert cluster.numbers() == cluster.first
