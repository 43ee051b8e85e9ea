# Stage 5, report: the figures (SVG). All rules call the same command with different inputs.
# The captions in workflow/report/ explain each figure.


rule curves:
    """Figure: training loss, validation loss and validation accuracy of every epoch."""
    input:
        metrics=metrics_of_main,
    output:
        report(
            "results/{dataset}/figures/curves.svg",
            caption="../report/curves.rst",
            category="{dataset}",
            labels={"figure": "training curves"},
        ),
    log:
        "logs/report/curves/{dataset}.log",
    benchmark:
        "logs/report/curves/{dataset}.benchmark.tsv"
    conda:
        CONDA_MAFNET
    resources:
        mem_mb=grows_from(2000),
        runtime=10,
    params:
        figure="curves",
        main=lookup(dpath="{dataset}/main", within=VALUES),
        runs=each_run,
        splits=each_split,
        videos=each_media,
        features=each("features", "features"),
        study=each("study", "study"),
        version=figures_digest(),
    message:
        "Drawing {output}."
    shell:
        "mafnet figure {params.figure} --dataset {wildcards.dataset} --main {params.main} "
        "{params.runs} {params.splits:q} {params.videos:q} {params.features} "
        "{params.study} --output {output} 2>&1 | tee {log}"


use rule curves as confusion with:
    """Figure: confusion matrix of the main variant."""
    output:
        report(
            "results/{dataset}/figures/confusion.svg",
            caption="../report/confusion.rst",
            category="{dataset}",
            labels={"figure": "confusion matrix"},
        ),
    log:
        "logs/report/confusion/{dataset}.log",
    benchmark:
        "logs/report/confusion/{dataset}.benchmark.tsv"
    params:
        figure="confusion",


use rule curves as classes with:
    """Figure: accuracy of each class, with its interval."""
    output:
        report(
            "results/{dataset}/figures/classes.svg",
            caption="../report/classes.rst",
            category="{dataset}",
            labels={"figure": "accuracy by class"},
        ),
    log:
        "logs/report/classes/{dataset}.log",
    benchmark:
        "logs/report/classes/{dataset}.benchmark.tsv"
    params:
        figure="classes",


use rule curves as timeline with:
    """Figure: attention over time, with frames, of some test videos (paper, Figure 3)."""
    input:
        metrics=metrics_of_main,
        splits=shown_manifests,
        media="results/{dataset}/media.tsv",
    output:
        report(
            "results/{dataset}/figures/timeline.svg",
            caption="../report/timeline.rst",
            category="{dataset}",
            labels={"figure": "attention over time"},
        ),
    log:
        "logs/report/timeline/{dataset}.log",
    benchmark:
        "logs/report/timeline/{dataset}.benchmark.tsv"
    params:
        figure="timeline",


use rule curves as event_attention with:
    """Figure: share of the attention on the seconds of the event, compared with chance."""
    input:
        metrics=metrics_of_main,
        splits=shown_manifests,
    output:
        report(
            "results/{dataset}/figures/event_attention.svg",
            caption="../report/event_attention.rst",
            category="{dataset}",
            labels={"figure": "attention on the event"},
        ),
    log:
        "logs/report/event_attention/{dataset}.log",
    benchmark:
        "logs/report/event_attention/{dataset}.benchmark.tsv"
    params:
        figure="event_attention",


use rule curves as film_space with:
    """Figure: features before and after FiLM in two dimensions (paper, Figure 7)."""
    input:
        metrics=metrics_of_main,
        splits=shown_manifests,
        features=features_of_main,
    output:
        report(
            "results/{dataset}/figures/film_space.svg",
            caption="../report/film_space.rst",
            category="{dataset}",
            labels={"figure": "features before and after FiLM"},
        ),
    log:
        "logs/report/film_space/{dataset}.log",
    benchmark:
        "logs/report/film_space/{dataset}.benchmark.tsv"
    resources:
        mem_mb=grows_from(6000),
        runtime=30,
    params:
        figure="film_space",


use rule curves as examples with:
    """Figure: predictions of several variants for the same test videos (paper, Figure 5)."""
    input:
        metrics=metrics_of_examples,
        splits=shown_manifests,
        media="results/{dataset}/media.tsv",
    output:
        report(
            "results/{dataset}/figures/examples.svg",
            caption="../report/examples.rst",
            category="{dataset}",
            labels={"figure": "example predictions"},
        ),
    log:
        "logs/report/examples/{dataset}.log",
    benchmark:
        "logs/report/examples/{dataset}.benchmark.tsv"
    params:
        figure="examples",


use rule curves as study_figure with:
    """Figure: accuracy of each variant of a study, and its difference to the main variant."""
    input:
        metrics=study_runs,
        study="results/{dataset}/studies/{study}.csv",
    output:
        report(
            "results/{dataset}/figures/study-{study}.svg",
            caption="../report/study.rst",
            category="{dataset}",
            labels={"figure": "study {study}"},
        ),
    log:
        "logs/report/study_figure/{dataset}-{study}.log",
    benchmark:
        "logs/report/study_figure/{dataset}-{study}.benchmark.tsv"
    params:
        figure="study",
