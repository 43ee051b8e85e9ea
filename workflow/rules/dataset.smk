# Stage 3, dataset: the media table and the feature files that training reads.


rule media:
    """Media table of the data set: every video, usable or the reason why not."""
    input:
        probed=of_all_shards("results/{dataset}/media/{shard}.tsv"),
        visual=of_all_shards("results/{dataset}/features/visual/{shard}.tsv"),
        audio=of_all_shards("results/{dataset}/features/audio/{shard}.tsv"),
    output:
        "results/{dataset}/media.tsv",
    log:
        "logs/dataset/media/{dataset}.log",
    benchmark:
        "logs/dataset/media/{dataset}.benchmark.tsv"
    conda:
        "../../envs/mafnet.yaml"
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        probed=each("probed", "probed"),
        visual=each("visual", "visual"),
        audio=each("audio", "audio"),
        settings=asked("policies"),
        version=versions.MEDIA,
    message:
        "Listing what became of the videos of {wildcards.dataset}."
    shell:
        "mafnet media {params.probed} {params.visual} {params.audio} "
        "--settings {params.settings:q} --output {output} 2>&1 | tee {log}"


rule pack:
    """Feature file of one modality: one row a video, (N, T, ...), contiguous on disk."""
    input:
        media="results/{dataset}/media.tsv",
        weights=asked("weights"),
    output:
        "results/{dataset}/features/{modality}.h5",
    log:
        "logs/dataset/pack/{dataset}-{modality}.log",
    benchmark:
        "logs/dataset/pack/{dataset}-{modality}.benchmark.tsv"
    conda:
        "../../envs/mafnet.yaml"
    threads: 2
    resources:
        mem_mb=4000,
        runtime=120,
    params:
        root=asked("root"),
        cache=asked("cache"),
        settings=asked("extraction"),
        limit=asked("max_failed_fraction"),
        version=versions.PACK,
    message:
        "Packing the {wildcards.modality} features of {wildcards.dataset}."
    shell:
        "mafnet pack --media {input.media} --root {params.root:q} --weights {input.weights:q} "
        "--cache {params.cache:q} --settings {params.settings:q} "
        "--max-failed-fraction {params.limit} --output {output} --threads {threads} "
        "2>&1 | tee {log}"
