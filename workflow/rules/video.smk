# Stage 2, video: the properties of every file.


rule probe:
    """Media table of one shard: properties and sha256 of each file, or why it is not usable."""
    input:
        manifests=ancient(manifests),
    output:
        "results/{dataset}/media/{shard}.tsv",
    log:
        "logs/video/probe/{dataset}-{shard}.log",
    benchmark:
        "logs/video/probe/{dataset}-{shard}.benchmark.tsv"
    conda:
        CONDA_MAFNET
    threads: 4
    resources:
        mem_mb=grows_from(1000),
        runtime=60,
    params:
        manifests=each("manifest", "manifests"),
        root=lookup(dpath="{dataset}/root", within=VALUES),
        videos=asked("shard_videos"),
        version=versions.PROBE,
    message:
        "Probing the videos of {wildcards.dataset}, shard {wildcards.shard}."
    shell:
        "mafnet probe {params.manifests:q} --shard {wildcards.shard} --root {params.root:q} "
        "--output {output} --threads {threads} 2>&1 | tee {log}"
