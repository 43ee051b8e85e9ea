# Stage 1, video: the demo's files, and what is in every file.


checkpoint demo:
    """Demo: real mp4 files of small audio-visual events, and their manifest."""
    output:
        manifest="data/{dataset}/manifest.csv",
        videos=directory("data/{dataset}/videos"),
    log:
        "logs/video/demo/{dataset}.log",
    benchmark:
        "logs/video/demo/{dataset}.benchmark.tsv"
    wildcard_constraints:
        dataset=either(PLAN.made_by("demo")),
    conda:
        "../../envs/mafnet.yaml"
    threads: 4
    resources:
        mem_mb=1000,
        runtime=20,
    params:
        settings=asked("demo_settings"),
        version=versions.DEMO,
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
    log:
        "logs/video/probe/{dataset}-{shard}.log",
    benchmark:
        "logs/video/probe/{dataset}-{shard}.benchmark.tsv"
    conda:
        "../../envs/mafnet.yaml"
    threads: 4
    resources:
        mem_mb=1000,
        runtime=60,
    params:
        manifests=each("manifest", "manifests"),
        root=asked("root"),
        videos=asked("members"),
        version=versions.PROBE,
    message:
        "Probing the videos of {wildcards.dataset}, shard {wildcards.shard}."
    shell:
        "mafnet probe {params.manifests:q} --shard {wildcards.shard} --root {params.root:q} "
        "--output {output} --threads {threads} 2>&1 | tee {log}"
