# What Snakemake does before the jobs, after them, and after a failure.
import json

from mafnet.plan.guard import claim_directory, start_again
from mafnet.plan.jobs import retry_no_user_errors
from mafnet.plan.paths import require_past
from mafnet.plan.slurm import await_leftover_jobs, memory_kills


def on_slurm():
    """True if Slurm runs the jobs."""
    return workflow.executor_plugin.name == "slurm"


def holder_time():
    """The time when this Snakemake began, by the clock of the file system."""
    return Path(".snakemake/mafnet.holder").stat().st_mtime


def show_memory_kills():
    """Name the jobs that Slurm killed for their memory; the logs of these jobs do not say it."""
    if on_slurm():
        for message in memory_kills(Path(".snakemake/slurm_logs"), holder_time()):
            logger.warning(message)


def show_partial_studies(dataset):
    """Show the studies of a data set without the failed runs, and the last message of each of these."""
    from mafnet.report.partial_study import partial_study
    from mafnet.report.protocol import read_protocol

    described = [Path(path) for path in PLAN.descriptions(dataset) if Path(path).exists()]
    protocol = read_protocol(VALUES[dataset]["protocol"], described, VALUES[dataset]["silent"])
    shown = []
    for study, variants in PLAN.studies(dataset).items():
        output = Path("results", dataset, "studies", f"{study}.csv")
        folders = list(map(Path, folders_of(metrics_of(dataset, variants))))
        main = PLAN.main(dataset)
        shown.append(partial_study(dataset, output, folders, PAPER, protocol, main))
    if any(shown):
        write_partial_report(dataset)


def remove_stale_studies(dataset):
    """Remove the studies of earlier failures whose runs are now all finished."""
    from mafnet.report.partial_study import remove_stale

    for study, variants in PLAN.studies(dataset).items():
        folders = [Path(path).parent for path in metrics_of(dataset, variants)]
        remove_stale(Path("results", dataset, "studies", f"{study}.csv"), folders)


def stale_datasets():
    """The data sets with a study of an earlier failure; no handler runs if nothing is to be done."""
    found = sorted(Path("results").glob("*/studies/*.partial.csv"))
    return {path.parts[1] for path in found} & set(PLAN.datasets)


def write_partial_report(dataset):
    """Write the report of the finished runs, if all runs of the main variant are finished."""
    from mafnet.report.page.content import Sources
    from mafnet.report.page.partial_page import write_partial_page
    from mafnet.report.partial_study import partial_path

    home = Path("results", dataset)
    sources = Sources(
        home / "metrics.json",
        home / "media.tsv",
        list(map(Path, folders_of(metrics_of(dataset, [PLAN.main(dataset)])))),
        {split: Path(PLAN.manifest(dataset, split)) for split in PLAN.splits(dataset)},
        Path(VALUES[dataset]["root"]),
        json.loads(PLAN.shown_settings(dataset)),
        list(map(Path, study_tables(dataset))),
        list(map(Path, all_figures(dataset))),
    )
    if write_partial_page(sources, home / "report.html"):
        logger.info(f"Report of the finished runs: {partial_path(home / 'report.html')}")


onstart:
    without_traceback(claim_directory)(Path(".snakemake"))
    without_traceback(require_past)(
        (path for job in workflow.dag.needrun_jobs() for path in job.input), holder_time()
    )
    if on_slurm() and without_traceback(await_leftover_jobs)(Path.cwd(), logger.warning):
        # What these jobs have made is still planned here.
        without_traceback(start_again)(moved=workflow.overwrite_workdir is not None)
    retry_no_user_errors()
    if "gpu_percent" not in workflow.global_resources:
        if not workflow.local_exec:
            # Slurm runs the jobs of a group one after another. Then only their times add up.
            workflow.register_resource("gpu_percent", 1)
        elif PLAN.gpus:
            # On this machine, only as many jobs run at a time as its GPUs can hold.
            workflow.register_resource("gpu_percent", 100 * PLAN.gpus)


onsuccess:
    show_memory_kills()
    for dataset in PLAN.datasets:
        remove_stale_studies(dataset)


onerror:
    show_memory_kills()
    for dataset in PLAN.datasets:
        without_traceback(show_partial_studies)(dataset)
