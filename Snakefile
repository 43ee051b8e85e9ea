# mafnet: from raw videos to numbers. workflow/rules/ has one file of rules for each stage; the
# functions that they share are in common.smk, inputs.smk, params.smk and handlers.smk.
#
#   data/{dataset}/manifest.csv                              dataset   samples of a generated data set
#   data/{dataset}/{downloads,unpacked}.tsv                  dataset   files of a published data set
#   data/{dataset}/{split}.csv, {split}.json                 dataset   its samples; differences from the publication
#   results/{dataset}/media/{shard}.tsv                      video     the properties of the files of a shard
#   results/{dataset}/screen.json                            video     findings about all files together
#   results/{dataset}/weights/{modality}.safetensors         features  random weights, calibrated
#   {weights_folder}/{backbone}-{weights}.safetensors        features  published weights
#   results/{dataset}/features/{modality}/{shard}.tsv        features  the outcome of each video of a shard
#   results/{dataset}/media.tsv                              features  every video; why it is not usable
#   results/{dataset}/features/{modality}.h5                 features  the features that training reads
#   results/{dataset}/features/visual_maps.h5                features  the same, with visual maps
#   results/{dataset}/{split}/{variant}/seed{seed}/          model     a run: model, history, predictions
#   {weights_folder}/networks/{network}-kinetics400.safetensors  model  published weights of a video network
#   results/{dataset}/studies/{study}.csv                    report    a table of variants
#   results/{dataset}/figures/{figure}.svg                   report    figures of runs and studies
#   results/{dataset}/metrics.json                           report    metrics of the main variant
#   results/{dataset}/{summary,report}.html                  report    pages for a browser
from snakemake.utils import min_version

min_version("9.27")


configfile: f"{workflow.basedir}/config.yaml"


include: "workflow/rules/common.smk"
include: "workflow/rules/inputs.smk"
include: "workflow/rules/params.smk"
include: "workflow/rules/handlers.smk"
include: "workflow/rules/dataset.smk"
include: "workflow/rules/video.smk"
include: "workflow/rules/features.smk"
include: "workflow/rules/model.smk"
include: "workflow/rules/model_video.smk"
include: "workflow/rules/report.smk"
include: "workflow/rules/report_figures.smk"


rule all:
    """Metrics of every data set whose files are here; a generated one only if there is no other."""
    default_target: True
    input:
        of_plain_datasets(lambda dataset: [f"results/{dataset}/metrics.json"]),


rule features:
    """Feature files of every data set; stops before training."""
    input:
        of_plain_datasets(
            lambda dataset: [
                f"results/{dataset}/screen.json",
                *(f"results/{dataset}/features/{name}.h5" for name in MODALITIES),
            ]
        ),


rule models:
    """Trained and evaluated runs of the main variant of every data set."""
    input:
        of_plain_datasets(lambda dataset: metrics_of(dataset, [PLAN.main(dataset)])),


rule reports:
    """Page of every data set, with all its studies and figures."""
    input:
        of_plain_datasets(lambda dataset: [f"results/{dataset}/report.html"]),


rule studies:
    """Tables of variants of every data set."""
    input:
        of_plain_datasets(study_tables),


rule figures:
    """Figures of the main variant and of all studies of every data set."""
    input:
        of_plain_datasets(all_figures),


rule not_configured:
    """A file of a data set that is not in the config: ends with one line on what to do."""
    input:
        no_such_dataset,
    output:
        "results/{unknown}/{rest}",
    wildcard_constraints:
        unknown=f"(?!(?:{'|'.join(map(re.escape, PLAN.datasets))})/)[^/]+",
        rest=".+",


# A job's own Snakemake considers only the job's rule, unless there is a checkpoint: then it would
# consider all jobs of the data set.
if IN_JOB:
    for considered in workflow.rules:
        considered.is_checkpoint = False
else:
    without_traceback(refuse_unknown_targets)(
        given_targets(),
        [rule.name for rule in workflow.rules if not rule.has_wildcards()],
        is_made,
        {dataset: PLAN.studies(dataset) for dataset in PLAN.datasets},
    )
    if not is_dry_run():
        for stale in stale_datasets():
            remove_stale_studies(stale)
