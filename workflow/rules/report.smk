# Stage 5, report: metrics, studies and pages.


rule metrics:
    """Metrics of the main variant over all splits and seeds, with the paper's value."""
    input:
        metrics=metrics_of_main,
        media="results/{dataset}/media.tsv",
        screened="results/{dataset}/screen.json",
        paper=from_disk(PAPER),
        described=asked("descriptions"),
    output:
        "results/{dataset}/metrics.json",
    log:
        "logs/report/metrics/{dataset}.log",
    benchmark:
        "logs/report/metrics/{dataset}.benchmark.tsv"
    conda:
        CONDA_MAFNET
    resources:
        mem_mb=grows_from(1000),
        runtime=10,
    params:
        runs=each_run,
        described=each("described", "described"),
        protocol=lookup(dpath="{dataset}/protocol", within=VALUES),
        silent=lookup(dpath="{dataset}/silent", within=VALUES),
        config=asked("config_digest"),
        version=versions.METRICS,
    message:
        "Summarising {wildcards.dataset}."
    shell:
        "mafnet metrics --dataset {wildcards.dataset} {params.runs} --media {input.media} "
        "--paper {input.paper:q} --protocol {params.protocol} --silent {params.silent} "
        "{params.described:q} --screened {input.screened} "
        "--config-digest {params.config} --output {output} 2>&1 | tee {log}"


rule study:
    """Table of the variants of a study, which is also printed."""
    input:
        metrics=study_runs,
        paper=from_disk(PAPER),
        described=asked("descriptions"),
    output:
        report(
            "results/{dataset}/studies/{study}.csv",
            caption="../report/study_table.rst",
            category="{dataset}",
            labels={"figure": "table of the study {study}"},
        ),
    log:
        "logs/report/study/{dataset}-{study}.log",
    benchmark:
        "logs/report/study/{dataset}-{study}.benchmark.tsv"
    conda:
        CONDA_MAFNET
    resources:
        mem_mb=grows_from(1000),
        runtime=10,
    params:
        runs=each_run,
        described=each("described", "described"),
        protocol=lookup(dpath="{dataset}/protocol", within=VALUES),
        silent=lookup(dpath="{dataset}/silent", within=VALUES),
        main=lookup(dpath="{dataset}/main", within=VALUES),
        version=versions.METRICS,
    message:
        "Comparing the variants of the study {wildcards.study} on {wildcards.dataset}."
    shell:
        "mafnet study --dataset {wildcards.dataset} {params.runs} --paper {input.paper:q} "
        "--protocol {params.protocol} --silent {params.silent} {params.described:q} "
        "--main {params.main} --output {output} "
        "2>&1 | tee {log}"


rule page:
    """Page of results: `summary` of the main variant, or `report` with all studies."""
    input:
        metrics=metrics_of_main,
        summary="results/{dataset}/metrics.json",
        media="results/{dataset}/media.tsv",
        splits=shown_manifests,
        studies=studies_of_page,
        figures=figures_of_page,
        sounds=asked("sounds"),
    output:
        report(
            "results/{dataset}/{page}.html",
            caption="../report/page.rst",
            category="{dataset}",
            labels={"figure": "page: {page}"},
        ),
    log:
        "logs/report/page/{dataset}-{page}.log",
    benchmark:
        "logs/report/page/{dataset}-{page}.benchmark.tsv"
    wildcard_constraints:
        page="summary|report",
    conda:
        CONDA_MAFNET
    threads: 2
    resources:
        mem_mb=grows_from(4000),
        runtime=20,
    params:
        runs=each_run,
        splits=each_split,
        root=lookup(dpath="{dataset}/root", within=VALUES),
        settings=asked("shown_settings"),
        studies=each("study", "studies"),
        figures=each("figure", "figures"),
        sounds=named_sounds,
        version=page_digest(),
    message:
        "Writing results/{wildcards.dataset}/{wildcards.page}.html."
    shell:
        "mafnet report {params.runs} --metrics {input.summary} --media {input.media} "
        "{params.splits:q} --root {params.root:q} --settings {params.settings:q} {params.studies} "
        "{params.figures} {params.sounds:q} --threads {threads} --output {output} 2>&1 | tee {log}"
