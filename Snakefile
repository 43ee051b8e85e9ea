# mafnet: from raw videos to numbers. workflow/rules/ has one file of rules for each stage; the
# functions that they share are in common.smk, inputs.smk, params.smk and handlers.smk.
#
#   data/{dataset}/manifest.csv                              dataset   samples of a generated data set
#   data/{dataset}/{downloads,unpacked}.tsv                  dataset   files of a published data set
#   data/{dataset}/{split}.csv, {split}.json                 dataset   its samples; differences from the publication
#   results/{dataset}/media/{shard}.tsv                      video     the properties of the files of a shard
#   results/{dataset}/weights/{modality}.safetensors         features  random weights, calibrated
#   {weights_folder}/{backbone}-{weights}.safetensors        features  published weights
#   results/{dataset}/features/{modality}/{shard}.tsv        features  the outcome of each video of a shard
#   results/{dataset}/media.tsv                              features  every video; why it is not usable
#   results/{dataset}/features/{modality}.h5                 features  the features that training reads
#   results/{dataset}/features/visual_maps.h5                features  the same, with visual maps
#   results/{dataset}/{split}/{variant}/seed{seed}/          model     a run: model, history, predictions
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
include: "workflow/rules/report.smk"
include: "workflow/rules/report_figures.smk"


rule all:
    """Metrics of every data set."""
    default_target: True
    input:
        expand("results/{dataset}/metrics.json", dataset=PLAN.datasets),


rule features:
    """Feature files of every data set; stops before training."""
    input:
        expand(
            "results/{dataset}/features/{modality}.h5",
            dataset=PLAN.datasets,
            modality=MODALITIES,
        ),


rule models:
    """Trained and evaluated runs of the main variant of every data set."""
    input:
        [path for dataset in PLAN.datasets for path in metrics_of(dataset, [PLAN.main(dataset)])],


rule reports:
    """Page of every data set, with all its studies and figures."""
    input:
        expand("results/{dataset}/report.html", dataset=PLAN.datasets),


rule studies:
    """Tables of variants of every data set."""
    input:
        [path for dataset in PLAN.datasets for path in study_tables(dataset)],


rule figures:
    """Figures of the main variant and of all studies of every data set."""
    input:
        every_figure,


rule not_configured:
    """A file of a data set that is not in the config: ends with one line on what to do."""
    input:
        no_such_dataset,
    output:
        "results/{unknown}/{rest}",
    wildcard_constraints:
        unknown=f"(?!(?:{'|'.join(map(re.escape, PLAN.datasets))})/)[^/]+",
        rest=".+",
