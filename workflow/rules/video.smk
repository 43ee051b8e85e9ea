# Stage 1, video: the demo's files, and what is in every file.


checkpoint demo:
    """Demo: real mp4 files of small audio-visual events, and their manifest."""
    output:
        manifest="data/{dataset}/manifest.csv",
        videos=directory("data/{dataset}/videos"),
    params:
        settings=asked("demo_settings"),
        version=versions.DEMO,
    wildcard_constraints:
        dataset="|".join(filter(PLAN.made, PLAN.datasets)) or "none",
    threads: 4
    resources:
        mem_mb=1000,
        runtime=20,
    log:
        "logs/video/demo/{dataset}.log",
    benchmark:
        "logs/video/demo/{dataset}.benchmark.tsv"
    conda:
        "../../envs/mafnet.yaml"
    message:
        "Drawing and synthesising the videos of {wildcards.dataset}."
    shell:
        "mafnet demo --root data/{wildcards.dataset} --settings {params.settings:q} 2>&1 | tee {log}"


rule probe:
    """Media table of one shard: what each file holds, its sha256, why it cannot be used."""
    input:
        manifests=ancient(manifests),
    output:
        "results/{dataset}/media/{shard}.tsv",
    params:
        manifests=each("manifest", "manifests"),
        root=asked("root"),
        videos=asked("members"),
        version=versions.PROBE,
    threads: 4
    resources:
        mem_mb=1000,
        runtime=60,
    log:
        "logs/video/probe/{dataset}-{shard}.log",
    benchmark:
        "logs/video/probe/{dataset}-{shard}.benchmark.tsv"
    conda:
        "../../envs/mafnet.yaml"
    message:
        "Probing the videos of {wildcards.dataset}, shard {wildcards.shard}."
    shell:
        "mafnet probe {params.manifests:q} --shard {wildcards.shard} --root {params.root:q} "
        "--output {output} --threads {threads} 2>&1 | tee {log}"
