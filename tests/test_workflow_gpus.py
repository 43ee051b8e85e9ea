"""How many jobs Snakemake starts at the same time on a machine with (simulated) GPUs."""

import os
import re
import subprocess

import pytest

EXTRACTED = [f"results/tiny/features/{modality}/0000.tsv" for modality in ("visual", "audio")]
TRAINED = [f"results/tiny/main/mafnet/seed{seed}/model.safetensors" for seed in (0, 1)]


def parallel_jobs(run, visible, targets, rule, change=None):
    """The number of jobs in each round of a forced rerun, and their numbers of threads."""
    command = run.command(*targets, "--printshellcmds", "--forcerun", rule, change=change)
    command[command.index("--cores") + 1] = "4"
    environment = os.environ | {"CUDA_VISIBLE_DEVICES": visible, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    rounds = [int(count) for count in re.findall(r"^Execute (\d+) jobs", done.stderr, re.MULTILINE)]
    return rounds, set(map(int, re.findall(r"--threads (\d+)", done.stderr)))


@pytest.mark.parametrize(("visible", "rounds", "threads"), [("0", [1, 1], {4}), ("0,1", [2], {2})])
def test_each_extraction_gets_one_gpu_and_its_share_of_the_cores(run, visible, rounds, threads):
    assert parallel_jobs(run, visible, EXTRACTED, "extract") == (rounds, threads)


def test_the_user_can_limit_the_gpus(run):
    targets = [*EXTRACTED, "--resources", "gpu_percent=100"]
    assert parallel_jobs(run, "0,1", targets, "extract")[0] == [1, 1]


@pytest.mark.slow
@pytest.mark.parametrize(("runs_per_gpu", "rounds"), [(1, [1, 1]), (4, [2])])
def test_training_runs_share_a_gpu(run, runs_per_gpu, rounds):
    change = {"model": {"runs_per_gpu": runs_per_gpu, "training": {"max_epochs": 1}}}
    assert parallel_jobs(run, "0", TRAINED, "train", change)[0] == rounds
