# Input functions: the files that a job reads.
from mafnet.common.run_command import check_command
from mafnet.report.figures import example_variants, study_figures


def manifests(wildcards):
    """The manifests of all splits; waits for the rule that makes them, if there is one."""
    if IN_JOB:
        pass  # The job was submitted after they were made.
    elif wildcards.dataset in PLAN.demos:
        checkpoints.demo.get(dataset=wildcards.dataset)
    elif wildcards.dataset in PLAN.published:
        for split in PLAN.all_splits(wildcards.dataset):
            checkpoints.prepare.get(dataset=wildcards.dataset, split=split)
    return [from_disk(path) for path in PLAN.manifests(wildcards.dataset)]


def manifest(wildcards):
    """The manifest of a split."""
    manifests(wildcards)
    return from_disk(PLAN.manifest(wildcards.dataset, wildcards.split))


def shown_manifests(wildcards):
    """The manifests of the splits that are shown."""
    manifests(wildcards)
    splits = PLAN.splits(wildcards.dataset)
    return [from_disk(PLAN.manifest(wildcards.dataset, split)) for split in splits]


def class_files(wildcards):
    """The file of class names, if there is one."""
    return [from_disk(path) for path in PLAN.classes(wildcards.dataset)]


def of_all_shards(pattern):
    """An input function: one file of the pattern for each shard."""

    @without_traceback
    def files(wildcards):
        manifests(wildcards)
        return expand(pattern, shard=PLAN.shards(wildcards.dataset), allow_missing=True)

    return files


def conversion(wildcards):
    """The output of rule convert for weights in a format of TensorFlow; no file for other weights."""
    row = PUBLISHED.get((wildcards.backbone, wildcards.name))
    return ["{folder}/{backbone}-{name}.converted"] if row and row.needs_conversion else []


def features_read(dataset, variant):
    """The feature files that a variant reads."""
    modalities = PLAN.inputs(dataset, variant)
    return expand("results/{dataset}/features/{modality}.h5", dataset=dataset, modality=modalities)


@without_traceback
def feature_files(wildcards):
    """The feature files that the variant of a run reads."""
    return features_read(wildcards.dataset, wildcards.variant)


def member_runs(wildcards):
    """The trained runs that the run of a late fusion combines."""
    members = PLAN.members(wildcards.dataset, wildcards.variant)
    pattern = "results/{dataset}/{split}/{member}/seed{seed}/model.safetensors"
    return expand(pattern, member=members, allow_missing=True)


@without_traceback
def features_of_main(wildcards):
    """The feature files that the main variant reads."""
    return features_read(wildcards.dataset, PLAN.main(wildcards.dataset))


# The files of a run that later rules read. A file that is not an input is not fetched from a storage
# provider. Otherwise these two suffice, because the others are written before the metrics. Without
# predictions_val.csv, which is newer than the others, Snakemake would ignore a new version of rule
# evaluate: it has no records of an output that does not exist.
RUN_FILES = ["metrics.json", "predictions_val.csv"]
if workflow.storage_settings.default_storage_provider:
    RUN_FILES += [
        "settings.json",
        "model.safetensors",
        "history.csv",
        "predictions.csv",
        "attention.npz",
    ]


def metrics_of(dataset, variants):
    """The metrics of all runs of some variants (RUN_FILES); with a storage provider, all files of the runs."""
    return expand(
        "results/{dataset}/{split}/{variant}/seed{seed}/{file}",
        dataset=dataset,
        split=PLAN.splits(dataset),
        variant=variants,
        seed=PLAN.seeds(dataset),
        file=RUN_FILES,
    )


@functools.cache
def say_what_is_left_out():
    """Name the data sets that targets without a data set leave out, once."""
    for name in PLAN.without_files:
        logger.info(f"Left out: {name} has no files; `{check_command(name)}` says what to fetch.")
    for name in PLAN.demos:
        if name not in PLAN.plain:
            logger.info(
                f"Left out: {name} is generated; name its target, results/{name}/metrics.json."
            )


def of_plain_datasets(files):
    """An input function: the files of each data set of a target that names none."""

    @without_traceback
    def all_files(wildcards):
        say_what_is_left_out()
        return [path for dataset in PLAN.plain for path in files(dataset)]

    return all_files


def metrics_of_main(wildcards):
    """The metrics of all runs of the main variant."""
    return metrics_of(wildcards.dataset, [PLAN.main(wildcards.dataset)])


def metrics_of_examples(wildcards):
    """The metrics of all runs of the variants whose predictions are shown as examples."""
    dataset = wildcards.dataset
    return metrics_of(dataset, example_variants(PLAN.main(dataset), PLAN.studies(dataset)))


@without_traceback
def study_runs(wildcards):
    """The metrics of all runs of the variants of a study."""
    return metrics_of(wildcards.dataset, PLAN.study(wildcards.dataset, wildcards.study))


def study_tables(dataset):
    """The tables of all studies of a data set."""
    return expand(
        "results/{dataset}/studies/{study}.csv", dataset=dataset, study=PLAN.studies(dataset)
    )


def studies_of_page(wildcards):
    """The tables of a page: all studies in the report, none in the summary."""
    return study_tables(wildcards.dataset) if wildcards.page == "report" else []


def figure_files(dataset, figures):
    """The files of some figures."""
    return expand("results/{dataset}/figures/{figure}.svg", dataset=dataset, figure=figures)


def main_figures(dataset):
    """The figures of the main variant. This reads manifests: call it only in input functions."""
    return figure_files(dataset, PLAN.main_figures(dataset))


def all_figures(dataset):
    """The figures of the main variant and of all studies. Call it only in input functions."""
    return figure_files(
        dataset, [*PLAN.main_figures(dataset), *study_figures(PLAN.studies(dataset))]
    )


@without_traceback
def figures_of_page(wildcards):
    """The figures of a page: all in the report, those of the main variant in the summary."""
    figures = all_figures if wildcards.page == "report" else main_figures
    return figures(wildcards.dataset)


@without_traceback
def no_such_dataset(wildcards):
    """End Snakemake with one line on what to do; else it would say that it finds no rule."""
    raise MafnetError(PLAN.not_configured(wildcards.unknown))
