# Stage 5, report: what all runs say together.


rule metrics:
    """Metrics of the main variant over all splits and seeds, beside the paper's value."""
    input:
        metrics=metrics_of_main,
        media="results/{dataset}/media.tsv",
        paper=PAPER,
        described=asked("descriptions"),
    output:
        "results/{dataset}/metrics.json",
    log:
        "logs/report/metrics/{dataset}.log",
    benchmark:
        "logs/report/metrics/{dataset}.benchmark.tsv"
    conda:
        "../../envs/mafnet.yaml"
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        runs=each_run,
        described=each("described", "described"),
        protocol=asked("protocol"),
        config=asked("config_digest"),
        version=versions.METRICS,
    message:
        "Summarising {wildcards.dataset}."
    shell:
        "mafnet metrics --dataset {wildcards.dataset} {params.runs} --media {input.media} "
        "--paper {input.paper:q} --protocol {params.protocol} {params.described:q} "
        "--config-digest {params.config} --output {output} 2>&1 | tee {log}"


rule study:
    """Table of the variants of a study, also on the terminal."""
    input:
        metrics=study_runs,
        paper=PAPER,
        described=asked("descriptions"),
    output:
        "results/{dataset}/studies/{study}.csv",
    log:
        "logs/report/study/{dataset}-{study}.log",
    benchmark:
        "logs/report/study/{dataset}-{study}.benchmark.tsv"
    conda:
        "../../envs/mafnet.yaml"
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        runs=each_run,
        described=each("described", "described"),
        protocol=asked("protocol"),
        main=asked("main"),
        version=versions.METRICS,
    message:
        "Comparing the variants of the study {wildcards.study} on {wildcards.dataset}."
    shell:
        "mafnet study --dataset {wildcards.dataset} {params.runs} --paper {input.paper:q} "
        "--protocol {params.protocol} {params.described:q} --main {params.main} --output {output} "
        "2>&1 | tee {log}"


onerror:
    for dataset in PLAN.datasets:
        plainly(show_partial_studies)(dataset)
