# mafnet: from raw videos to numbers. The rules lie in workflow/rules/, one file a stage.
#
#   data/{dataset}/manifest.csv                              dataset   samples of a data set that is made
#   data/{dataset}/{downloads,unpacked}.tsv                  dataset   files of a published data set
#   data/{dataset}/{split}.csv, {split}.json                 dataset   its samples, what differs in them
#   results/{dataset}/media/{shard}.tsv                      video     what the files of a shard hold
#   results/{dataset}/weights/{modality}.safetensors         features  random weights, calibrated
#   {weights_folder}/{backbone}-{weights}.safetensors        features  published weights
#   results/{dataset}/features/{modality}/{shard}.tsv        features  what became of a shard's videos
#   results/{dataset}/media.tsv                              features  every video, usable or why not
#   results/{dataset}/features/{modality}.h5                 features  what training reads
#   results/{dataset}/features/visual_maps.h5                features  the same with the visual maps
#   results/{dataset}/{split}/{variant}/seed{seed}/          model     a run: model, history, predictions
#   results/{dataset}/studies/{study}.csv                    report    a table of variants
#   results/{dataset}/figures/{figure}.svg                   report    pictures of runs and studies
#   results/{dataset}/metrics.json                           report    the numbers of the main variant
#   results/{dataset}/{summary,report}.html                  report    pages to look at
from snakemake.utils import min_version

min_version("9.27")


configfile: f"{workflow.basedir}/config.yaml"


include: "workflow/rules/common.smk"
include: "workflow/rules/video.smk"
include: "workflow/rules/features.smk"
include: "workflow/rules/dataset.smk"
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
    """Trained and evaluated main variant of every data set."""
    input:
        [path for dataset in PLAN.datasets for path in metrics_of(dataset, [PLAN.main(dataset)])],


rule reports:
    """The page with all studies and figures of every data set."""
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
    """What is asked of a data set that the config lacks: one line says what to do."""
    input:
        no_such_dataset,
    output:
        "results/{unknown}/{rest}",
    wildcard_constraints:
        unknown=f"(?!(?:{'|'.join(map(re.escape, PLAN.datasets))})/)[^/]+",
        rest=".+",
