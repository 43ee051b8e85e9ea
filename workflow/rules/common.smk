# What the rules ask at parse time; the answers come from mafnet/plan/stages.py.
import functools
import inspect
import json
import os
import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(workflow.basedir)))

from mafnet.common import versions
from mafnet.common.errors import MafnetError
from mafnet.features.fingerprint import MODALITIES
from mafnet.features.weights.published import TABLE, read_published
from mafnet.plan.guard import claim_directory, put_python_on_path
from mafnet.plan.slurm import memory_kills, refuse_second_jobs
from mafnet.plan.stages import Plan
from mafnet.report.figures import example_variants, study_figures
from mafnet.report.output_digest import figures_digest, page_digest
from mafnet.common.resources import PACKAGE, resource

PAPER = resource("paper.tsv")


def plainly(function):
    """The function, but a user's mistake that it finds ends the run with what to fix.

    Snakemake would print an error of an input function with its wildcards and a traceback.
    """

    @functools.wraps(function)
    def answer(*args, **kwargs):
        try:
            return function(*args, **kwargs)
        except MafnetError as error:
            sys.exit(f"mafnet: {error}")

    return answer


PLAN = plainly(Plan)(config)
VALUES = PLAN.lookup_values
PUBLISHED = {(row.backbone, row.name): row for row in plainly(read_published)(TABLE)}
# Cores are unknown where a cluster runs the jobs, and inside a job they are not ours to count.
EXTRACTION_THREADS = PLAN.extraction_threads(
    None if workflow.remote_exec else workflow.resource_settings.cores
)


# Here and not in the profile, whose paths would be relative to the folder of --directory.
os.environ.setdefault(
    "SNAKEMAKE_SLURM_PARTITIONS", f"{workflow.basedir}/profiles/slurm/partitions.yaml"
)


def on_slurm():
    """True if Slurm runs the jobs."""
    return workflow.executor_plugin.name == "slurm"


def show_memory_kills():
    """Say which jobs of this run Slurm killed for their memory; the jobs' own logs do not."""
    if on_slurm():
        began = Path(".snakemake/mafnet.holder").stat().st_mtime
        for message in memory_kills(Path(".snakemake/slurm_logs"), began):
            logger.warning(message)


resource_scopes:
    gpu_percent="local",


onstart:
    plainly(claim_directory)(Path(".snakemake"))
    if on_slurm():
        plainly(refuse_second_jobs)(Path.cwd())
    if "gpu_percent" not in workflow.global_resources:
        if not workflow.local_exec:
            # Slurm does the runs of a group one after another: their times add up, nothing else.
            workflow.register_resource("gpu_percent", 1)
        elif PLAN.gpus:
            # On this machine no more jobs run side by side than its GPUs hold.
            workflow.register_resource("gpu_percent", 100 * PLAN.gpus)


onsuccess:
    show_memory_kills()


# The rules call `mafnet` with the python that runs Snakemake, or with the python of the rule's conda
# environment, which is before it on the PATH. In a checkout this is the package beside the Snakefile.
# An installed package comes last on the path of python, because the other packages beside it must
# not replace those of a conda environment.
put_python_on_path()
if Path(workflow.basedir, "mafnet").is_dir():
    MAFNET = f'PYTHONPATH="{workflow.basedir}" python -m mafnet'
else:
    MAFNET = (
        f'python -c \'import sys; sys.path.append("{PACKAGE.parent}"); '
        'from mafnet.cli import main; main(prog_name="mafnet")\''
    )
shell.prefix(
    f'set -euo pipefail; mafnet() {{{{ {MAFNET} "$@" || failed $?; }}}}; '
    'failed() {{ [ $1 != 137 ] || echo "mafnet: killed, most likely because memory ran out; '
    'for more, give --set-resources RULE:mem_mb=MEGABYTES" >&2; return $1; }}; '
)


wildcard_constraints:
    dataset="|".join(PLAN.datasets),
    split="|".join({split for name in PLAN.datasets for split in PLAN.all_splits(name)}),
    variant="|".join({name for dataset in PLAN.datasets for name in PLAN.variants(dataset)}),
    modality="|".join(MODALITIES),
    shard=r"\d\d\d\d+",
    seed=r"\d+",


def either(names):
    """A wildcard's pattern: one of the names; `none`, which is no name of a data set, for none."""
    return "|".join(names) or "none"


def manifests(wildcards):
    """The manifests of all splits; waits for the rule that makes them, where there is one."""
    if wildcards.dataset in PLAN.demos:
        checkpoints.demo.get(dataset=wildcards.dataset)
    elif wildcards.dataset in PLAN.published:
        for split in PLAN.all_splits(wildcards.dataset):
            checkpoints.prepare.get(dataset=wildcards.dataset, split=split)
    return PLAN.manifests(wildcards.dataset)


def of_all_shards(pattern):
    """An input function: the files of a pattern, one a shard."""

    @plainly
    def files(wildcards):
        manifests(wildcards)
        return expand(pattern, shard=PLAN.shards(wildcards.dataset), allow_missing=True)

    return files


def manifest(wildcards):
    """The manifest of a split."""
    manifests(wildcards)
    return PLAN.manifest(wildcards.dataset, wildcards.split)


def feature_files(wildcards):
    """The feature files that a run's variant reads."""
    return features_read(wildcards.dataset, wildcards.variant)


def features_read(dataset, variant):
    """The feature files that a variant reads."""
    modalities = PLAN.inputs(dataset, variant)
    return expand("results/{dataset}/features/{modality}.h5", dataset=dataset, modality=modalities)


def metrics_of(dataset, variants):
    """The metrics of all runs of some variants."""
    return expand(
        "results/{dataset}/{split}/{variant}/seed{seed}/metrics.json",
        dataset=dataset,
        split=PLAN.splits(dataset),
        variant=variants,
        seed=PLAN.seeds(dataset),
    )


def metrics_of_main(wildcards):
    """The metrics of all runs of the main variant."""
    return metrics_of(wildcards.dataset, [PLAN.main(wildcards.dataset)])


@plainly
def study_runs(wildcards):
    """The metrics of all runs of a study's variants."""
    return metrics_of(wildcards.dataset, PLAN.study(wildcards.dataset, wildcards.study))


def study_tables(dataset):
    """The tables of all studies of a data set."""
    return expand(
        "results/{dataset}/studies/{study}.csv", dataset=dataset, study=PLAN.studies(dataset)
    )


def main_figures(dataset):
    """The figures of the main variant; reads manifests, so ask in an input function only."""
    return figure_files(dataset, PLAN.main_figures(dataset))


def all_figures(dataset):
    """The figures of the main variant and of all studies; in input functions only."""
    return figure_files(
        dataset, [*PLAN.main_figures(dataset), *study_figures(PLAN.studies(dataset))]
    )


@plainly
def every_figure(wildcards):
    """All figures of all data sets."""
    return [path for dataset in PLAN.datasets for path in all_figures(dataset)]


def figure_files(dataset, figures):
    """The files of some figures."""
    return expand("results/{dataset}/figures/{figure}.svg", dataset=dataset, figure=figures)


def metrics_of_examples(wildcards):
    """The metrics of all runs of the variants whose predictions are shown as examples."""
    dataset = wildcards.dataset
    return metrics_of(dataset, example_variants(PLAN.main(dataset), PLAN.studies(dataset)))


def shown_manifests(wildcards):
    """The manifests of the splits that are shown."""
    manifests(wildcards)
    return [PLAN.manifest(wildcards.dataset, split) for split in PLAN.splits(wildcards.dataset)]


def features_of_main(wildcards):
    """The feature files that the main variant reads."""
    return features_read(wildcards.dataset, PLAN.main(wildcards.dataset))


def show_partial_studies(dataset):
    """The studies of a data set without the failed runs, each named with its last message."""
    from mafnet.report.partial_study import partial_study
    from mafnet.report.protocol import read_protocol

    described = [Path(path) for path in PLAN.descriptions(dataset) if Path(path).exists()]
    protocol = read_protocol(VALUES[dataset]["protocol"], described)
    shown = []
    for study, variants in PLAN.studies(dataset).items():
        output = Path("results", dataset, "studies", f"{study}.csv")
        folders = [Path(path).parent for path in metrics_of(dataset, variants)]
        main = PLAN.main(dataset)
        shown.append(partial_study(dataset, output, folders, PAPER, protocol, main))
    if any(shown):
        write_partial_report(dataset)


def write_partial_report(dataset):
    """The report of the runs that there are, if the main variant's are all there."""
    from mafnet.report.page.content import Sources
    from mafnet.report.page.partial_page import write_partial_page
    from mafnet.report.partial_study import partial_path

    home = Path("results", dataset)
    sources = Sources(
        home / "metrics.json",
        home / "media.tsv",
        [Path(path).parent for path in metrics_of(dataset, [PLAN.main(dataset)])],
        {split: Path(PLAN.manifest(dataset, split)) for split in PLAN.splits(dataset)},
        Path(VALUES[dataset]["root"]),
        json.loads(PLAN.shown_settings(dataset)),
        list(map(Path, study_tables(dataset))),
        list(map(Path, all_figures(dataset))),
    )
    if write_partial_page(sources, home / "report.html"):
        logger.info(f"What there is of the report: {partial_path(home / 'report.html')}")


def run_folder(wildcards, output):
    """The folder of a run."""
    return Path(output[0]).parent


def grows_from(megabytes):
    """A resource function: the memory of a first attempt, twice as much at the second one, ..."""

    def memory(wildcards, attempt):
        return megabytes * attempt

    return memory


def slurm_gpu(wildcards):
    """The GPU that a job asks Slurm for; nothing where the job runs on this machine."""
    return None if workflow.local_exec else os.environ.get("MAFNET_SLURM_GPU", "gpu:1") or None


def each(option, name):
    """A params function: `--option FILE` for every file of a named input."""

    def arguments(wildcards, input):
        files = input.get(name, [])
        paths = [files] if isinstance(files, str) else files
        return [part for path in paths for part in (f"--{option}", path)]

    return arguments


def each_run(wildcards, input):
    """`--run FOLDER` for every run whose metrics are an input."""
    return [part for path in input.metrics for part in ("--run", str(Path(path).parent))]


def each_split(wildcards, input):
    """`--split NAME FILE` for every split whose manifest is an input."""
    named = zip(PLAN.splits(wildcards.dataset), input.get("splits", []))
    return [part for split, path in named for part in ("--split", split, path)]


def each_media(wildcards, input):
    """`--media FILE --root FOLDER` where the media table is an input."""
    media = input.get("media")
    return ["--media", media, "--root", VALUES[wildcards.dataset]["root"]] if media else []


def studies_of_page(wildcards):
    """The tables of a page: all studies in the report, none in the summary."""
    return study_tables(wildcards.dataset) if wildcards.page == "report" else []


@plainly
def figures_of_page(wildcards):
    """The figures of a page."""
    figures = all_figures if wildcards.page == "report" else main_figures
    return figures(wildcards.dataset)


def weights_source(wildcards):
    """What is published under a name; a change of it fetches anew, other rows do not matter."""
    return str(PUBLISHED.get((wildcards.backbone, wildcards.name), ""))


def conversion(wildcards):
    """What TensorFlow made of published weights in its formats; nothing for the others."""
    row = PUBLISHED.get((wildcards.backbone, wildcards.name))
    return ["{folder}/{backbone}-{name}.converted"] if row and row.needs_conversion else []


def asked(question):
    """A function of a rule: what the plan answers about the job's data set, modality, ..."""
    method = getattr(PLAN, question)
    names = inspect.signature(method).parameters

    @plainly
    def answer(wildcards):
        return method(**{name: wildcards[name] for name in names})

    return answer


@plainly
def no_such_dataset(wildcards):
    """Ends the run with a line on what to mend, where Snakemake would say that no rule is found."""
    raise MafnetError(PLAN.not_configured(wildcards.unknown))
