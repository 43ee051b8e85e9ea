# What all rules share: the plan, the wildcards, and how a job calls `mafnet`.
# Input functions are in inputs.smk, params functions in params.smk, and what Snakemake does before
# and after the jobs in handlers.smk.
import functools
import inspect
import os
import re
import shlex
import sys
from importlib.metadata import version
from pathlib import Path

sys.path.insert(0, str(Path(workflow.basedir)))

from mafnet.common import versions
from mafnet.common.errors import MafnetError
from mafnet.common.parent import name_parent
from mafnet.common.resources import PACKAGE, resource
from mafnet.features.fingerprint import MODALITIES
from mafnet.features.weights.published import TABLE, read_published
from mafnet.plan.cli_config import with_numbers
from mafnet.plan.guard import put_python_on_path
from mafnet.plan.jobs import own_jobs, record_in_job
from mafnet.plan.paths import without_fields, without_wildcards
from mafnet.plan.stages import Plan
from mafnet.plan.targets import (
    given_targets,
    is_dry_run,
    record_command,
    refuse_swallowed_targets,
    refuse_unknown_targets,
)
from mafnet.report.output_digest import figures_digest, page_digest

PAPER = without_wildcards(resource("paper.tsv"), Path(".snakemake"))


def from_disk(path):
    """A path for a rule's input: an absolute one is on this machine, even if results are in S3."""
    return local(path) if Path(path).is_absolute() else path


CONDA_MAFNET = without_fields(f"{workflow.basedir}/envs/mafnet.yaml")
CONDA_VGGISH = without_fields(f"{workflow.basedir}/envs/vggish.yaml")


def without_traceback(function):
    """The same function, but a MafnetError ends Snakemake with its one line.

    Snakemake would print an error of an input function with its wildcards and a traceback.
    """

    @functools.wraps(function)
    def answer(*args, **kwargs):
        try:
            return function(*args, **kwargs)
        except MafnetError as error:
            sys.exit(f"mafnet: {error}")

    return answer


# True in a job's own Snakemake on a cluster.
IN_JOB = not workflow.is_main_process
without_traceback(refuse_swallowed_targets)(workflow.overwrite_configfiles)
if not IN_JOB:
    record_command(workflow.overwrite_configfiles)

PLAN = without_traceback(Plan)(with_numbers(config, workflow.config_settings.config), in_job=IN_JOB)
VALUES = PLAN.lookup_values
PUBLISHED = {(row.backbone, row.name): row for row in without_traceback(read_published)(TABLE)}


def asked(question):
    """An input or params function: calls the method `question` of the plan with the wildcards."""
    method = getattr(PLAN, question)
    names = inspect.signature(method).parameters

    @without_traceback
    def answer(wildcards):
        return method(**{name: wildcards[name] for name in names})

    return answer


def is_made(target):
    """True if a rule makes a file; where a storage provider has the results, its name there counts."""
    file = workflow.modifier.path_modifier.apply_default_storage(target)
    return any(rule.is_producer(file) for rule in workflow.rules)


def one_of(names):
    """The pattern of a wildcard; without names it is `none`, which no data set can be called."""
    return "|".join(names) or "none"


def not_one_of(names):
    """The pattern of a variant that is none of some names."""
    return f"(?!(?:{one_of(names)})/)[A-Za-z0-9_]+"


wildcard_constraints:
    dataset="|".join(PLAN.datasets),
    split="|".join({split for name in PLAN.datasets for split in PLAN.all_splits(name)}),
    variant="|".join({name for dataset in PLAN.datasets for name in PLAN.variants(dataset)}),
    modality="|".join(MODALITIES),
    shard=r"\d\d\d\d+",
    seed=r"\d+",


# The rules call `mafnet` with the Python that runs Snakemake. With --use-conda they call it with the
# Python of the rule's environment, which comes before it on the PATH. In a checkout, the package is
# the folder beside the Snakefile. An installed package is appended to the end of sys.path, because
# the other packages in its folder must not replace those of a conda environment.
put_python_on_path()
name_parent()
if Path(workflow.basedir, "mafnet").is_dir():
    MAFNET = f"PYTHONPATH={shlex.quote(str(workflow.basedir))} python -m mafnet"
else:
    program = (
        f"import sys; sys.path.append({str(PACKAGE.parent)!r}); "
        "from mafnet.cli import main; main(prog_name='mafnet')"
    )
    MAFNET = f"python -c {shlex.quote(program)}"
shell.prefix(
    f'set -euo pipefail; mafnet() {{{{ {without_fields(MAFNET)} "$@" || failed $?; }}}}; '
    'failed() {{ [ $1 != 137 ] || echo "mafnet: killed, most likely because memory ran out; '
    'for more memory, give --set-resources RULE:mem_mb=MEGABYTES" >&2; return $1; }}; '
)


if IN_JOB:
    record_in_job()
    os.environ.update(MAFNET_JOBS="\n".join(own_jobs()))  # for mafnet/common/attempts.py

# For the provenance: with --use-conda the commands cannot see the installed Snakemake.
os.environ.update(MAFNET_SNAKEMAKE_VERSION=version("snakemake"))

# Set here because a path in a profile would be relative to the folder of --directory.
os.environ.setdefault(
    "SNAKEMAKE_SLURM_PARTITIONS", f"{workflow.basedir}/profiles/slurm/partitions.yaml"
)

# On a cluster the number of cores is unknown. Within a job it is the number of that job.
EXTRACTION_THREADS = PLAN.extraction_threads(None if IN_JOB else workflow.resource_settings.cores)


def grows_from(megabytes):
    """A resource function: memory of the first attempt; the second one has twice as much, ..."""

    def memory(wildcards, attempt):
        return megabytes * attempt

    return memory


@without_traceback
def grows_with_videos(wildcards, attempt):
    """Memory of a rule that reads the rows of all videos, which have 2 to 3 kB each."""
    return attempt * (1000 + 3 * PLAN.video_count(wildcards.dataset) // 1000)


GPU_REQUESTS = {
    "slurm": {"gres": os.environ.get("MAFNET_SLURM_GPU", "gpu:1")},
    "slurm-jobstep": {"gres": os.environ.get("MAFNET_SLURM_GPU", "gpu:1")},
    "lsf": {"lsf_extra": os.environ.get("MAFNET_LSF_GPU", "-gpu num=1")},
    # scale=0 lets the plugin write the limits, without which Kubernetes refuses a GPU.
    "kubernetes": {"gpu": 1, "gpu_manufacturer": "nvidia", "scale": 0},
    "aws-batch": {"_gpus": 1},
    "cluster-generic": {"gpu": 1},
}
"""How jobs ask for a GPU: executor -> resource -> value."""
GPU_RESOURCES = sorted({name for request in GPU_REQUESTS.values() for name in request})


def gpu_request(resource):
    """A resource function: the request for a GPU if the executor knows this resource, else None."""

    def request(wildcards):
        executor = getattr(workflow.executor_plugin, "name", None)
        value = GPU_REQUESTS.get(executor, {}).get(resource)
        return None if value == "" else value

    return request


def finetuning_gpu_request(resource):
    """The same for a fine-tuning, which may use several GPUs."""
    one = gpu_request(resource)

    def request(wildcards):
        value, count = one(wildcards), PLAN.finetuning_gpus(wildcards.dataset)
        if not isinstance(value, str):
            return count if value == 1 else value
        return re.sub(r"(?<=num=)\d+|(?<=:)\d+$", str(count), value)

    return request


A_GPU = {name: gpu_request(name) for name in GPU_RESOURCES}
FINETUNING_GPUS = {name: finetuning_gpu_request(name) for name in GPU_RESOURCES}


resource_scopes:
    gpu_percent="local",
