"""The profiles: their keys are known, and stand-ins for a scheduler run the generic one."""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from types import SimpleNamespace
from unittest import mock

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


def request_of(executor):
    """The resources that GPU jobs ask an executor for, as common.smk states them."""
    text = (REPOSITORY / "workflow/rules/common.smk").read_text()
    names = {"os": os}
    exec(re.search(r"^GPU_REQUESTS = \{.*?^\}", text, re.MULTILINE | re.DOTALL)[0], names)
    return names["GPU_REQUESTS"][executor]


@pytest.mark.parametrize("rule", list(profile("aws-batch")["set-resources"]))
def test_aws_batch_takes_the_memory_and_the_gpu_of_each_rule(rule):
    require_plugins("aws-batch")
    from snakemake_executor_plugin_aws_batch.batch_job_builder import BatchJobBuilder

    threads = {
        "extract": 8,
        "finetune": 8,
        "evaluate_video": 8,
        "page": 2,
        "pack": 2,
        "pack_maps": 2,
    }
    memory = profile("aws-batch")["set-resources"][rule]["mem_mb"]
    for attempt in (1, 2):
        megabytes = eval(memory, {"attempt": attempt})
        registered = mock.Mock()
        job = SimpleNamespace(
            name=rule, resources={"_cores": threads.get(rule, 1), "mem_mb": megabytes}
            | request_of("aws-batch"),
        )  # fmt: skip
        BatchJobBuilder(
            mock.Mock(), job, {}, "image", mock.Mock(), "command", registered
        ).build_job_definition()
        asked = registered.register_job_definition.call_args.kwargs["containerProperties"]
        found = {row["type"]: row["value"] for row in asked["resourceRequirements"]}
        assert found == {"VCPU": str(threads.get(rule, 1)), "MEMORY": str(megabytes), "GPU": "1"}


def test_a_pod_gets_the_requested_gpu():
    require_plugins("kubernetes")
    from snakemake_executor_plugin_kubernetes import Executor

    executor = mock.Mock(
        persistent_volumes=[], secret_envvars={}, k8s_cpu_scalar=1.0, privileged=False,
        k8s_service_account_name=None,
    )  # fmt: skip
    executor.format_job_exec.return_value = "snakemake"
    executor.run_namespace, executor.container_image = "mafnet", "image"
    executor._kubernetes_retry = lambda call: call()
    resources = {"_cores": 8, "mem_mb": 6000} | request_of("kubernetes")
    job = SimpleNamespace(resources=resources, jobid=1, attempt=1, is_containerized=False)
    Executor.run_job(executor, job)
    pod = executor.batchapi.create_namespaced_job.call_args.args[1].spec.template.spec
    wanted = {"cpu": "8000m", "memory": "6000M", "nvidia.com/gpu": "1"}
    assert pod.containers[0].resources.requests == wanted
    assert pod.containers[0].resources.limits == wanted
    assert pod.tolerations[0].key == "nvidia.com/gpu"


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
