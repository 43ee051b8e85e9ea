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
    priority: 2
    conda:
        CONDA_MAFNET
    threads: 4
    resources:
        mem_mb=grows_from(1000),
        runtime=60,
    params:
        manifests=each("manifest", "manifests"),
        root=lookup(dpath="{dataset}/root", within=VALUES),
        links=link_roots,
        videos=asked("shard_videos"),
        version=versions.PROBE,
    message:
        "Probing the videos of {wildcards.dataset}, shard {wildcards.shard}."
    shell:
        "mafnet probe {params.manifests:q} --shard {wildcards.shard} --root {params.root:q} "
        "{params.links:q} --output {output} --threads {threads} 2>&1 | tee {log}"


# Probing and screening have priority: a failure of `screen` stops the run before hours of extraction.
# Extraction does not depend on it, because Snakemake would not see changed settings of later jobs.
rule screen:
    """Findings about all probed files: too many failures, the same bytes in several subsets."""
    input:
        probed=of_all_shards("results/{dataset}/media/{shard}.tsv"),
        splits=shown_manifests,
    output:
        "results/{dataset}/screen.json",
    log:
        "logs/video/screen/{dataset}.log",
    benchmark:
        "logs/video/screen/{dataset}.benchmark.tsv"
    priority: 2
    conda:
        CONDA_MAFNET
    resources:
        mem_mb=grows_with_videos,
        runtime=10,
    params:
        probed=each("probed", "probed"),
        splits=each_split,
        limit=lookup(dpath="{dataset}/max_failed_fraction", within=VALUES),
        version=versions.SCREEN,
    message:
        "Checking the probed videos of {wildcards.dataset} together."
    shell:
        "mafnet screen --dataset {wildcards.dataset} {params.probed} {params.splits:q} "
        "--max-failed-fraction {params.limit} --output {output} 2>&1 | tee {log}"
