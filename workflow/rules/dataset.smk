# Stage 3, dataset: manifests of published data sets, the media table, what training reads.


rule download:
    """Archives and lists of a published data set, where its entry says `download: true`."""
    output:
        "data/{dataset}/downloads.tsv",
    log:
        "logs/dataset/download/{dataset}.log",
    benchmark:
        "logs/dataset/download/{dataset}.benchmark.tsv"
    wildcard_constraints:
        dataset=either(PLAN.made_by("prepare")),
    conda:
        "../../envs/mafnet.yaml"
    resources:
        mem_mb=1000,
        runtime=1440,
    params:
        source=asked("source"),
        folder=asked("archive"),
    message:
        "Downloading {params.source}."
    shell:
        "mafnet download --source {params.source} --folder {params.folder:q} --output {output} "
        "2>&1 | tee {log}"


rule unpack:
    """Videos and lists out of the archives of a published data set; goes on where it stopped."""
    input:
        archives=asked("archives"),
        lists=asked("own_lists"),
    output:
        "data/{dataset}/unpacked.tsv",
    log:
        "logs/dataset/unpack/{dataset}.log",
    benchmark:
        "logs/dataset/unpack/{dataset}.benchmark.tsv"
    wildcard_constraints:
        dataset=either(PLAN.made_by("prepare")),
    conda:
        "../../envs/mafnet.yaml"
    resources:
        mem_mb=1000,
        runtime=1440,
    params:
        source=asked("source"),
        archive=asked("archive"),
        lists=each("lists", "lists"),
    message:
        "Unpacking {params.archive}."
    shell:
        "mafnet unpack --source {params.source} --archive {params.archive:q} {params.lists:q} "
        "--folder data/{wildcards.dataset}/unpacked --output {output} 2>&1 | tee {log}"


checkpoint prepare:
    """Manifest of one split of a published data set, and what must be known to compare (.json)."""
    input:
        unpacked=asked("unpacked"),
        lists=asked("list_files"),
    output:
        manifest="data/{dataset}/{split}.csv",
        description="data/{dataset}/{split}.json",
    log:
        "logs/dataset/prepare/{dataset}-{split}.log",
    benchmark:
        "logs/dataset/prepare/{dataset}-{split}.benchmark.tsv"
    wildcard_constraints:
        dataset=either(PLAN.made_by("prepare")),
    conda:
        "../../envs/mafnet.yaml"
    resources:
        mem_mb=1000,
        runtime=30,
    params:
        source=asked("source"),
        lists=asked("lists"),
        root=asked("root"),
        settings=asked("holdout"),
        version=versions.PREPARE,
    message:
        "Writing the manifest {wildcards.split} of {wildcards.dataset}."
    shell:
        "mafnet prepare --source {params.source} --split {wildcards.split} --lists {params.lists:q} "
        "--root {params.root:q} --settings {params.settings:q} --output {output.manifest} "
        "2>&1 | tee {log}"


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
        maps="",
        version=versions.PACK,
    message:
        "Packing the {wildcards.modality} features of {wildcards.dataset}."
    shell:
        "mafnet pack --media {input.media} --root {params.root:q} --weights {input.weights:q} "
        "--cache {params.cache:q} --settings {params.settings:q} "
        "--max-failed-fraction {params.limit} {params.maps} --output {output} --threads {threads} "
        "2>&1 | tee {log}"


use rule pack as pack_maps with:
    # Visual vectors with their 7x7 maps, fifty times as large: made when a run reads them.
    output:
        "results/{dataset}/features/{modality}_maps.h5",
    log:
        "logs/dataset/pack/{dataset}-{modality}-maps.log",
    benchmark:
        "logs/dataset/pack/{dataset}-{modality}-maps.benchmark.tsv"
    params:
        maps="--maps",
    message:
        "Packing the {wildcards.modality} maps of {wildcards.dataset}."
