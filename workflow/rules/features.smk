# Stage 3, features: weights of the backbones, and the features of each clip and modality.


rule convert:
    """Published weights in a format of TensorFlow, as arrays, with test outputs for rule fetch."""
    output:
        temp("{folder}/{backbone}-{name}.converted"),
    log:
        "logs/features/convert/{folder}/{backbone}-{name}.log",
    benchmark:
        "logs/features/convert/{folder}/{backbone}-{name}.benchmark.tsv"
    wildcard_constraints:
        folder="|".join(map(re.escape, PLAN.weights_folders)),
        backbone="[a-z0-9_]+",
        name="[a-z0-9_]+",
    conda:
        CONDA_VGGISH
    resources:
        mem_mb=grows_from(4000),
        runtime=60,
    params:
        source=weights_source,
    message:
        "Reading the weights {wildcards.name} of {wildcards.backbone} with TensorFlow."
    shell:
        "mafnet convert --backbone {wildcards.backbone} --name {wildcards.name} "
        "--folder {wildcards.folder:q} --output {output:q} 2>&1 "
        "| tee {log:q}"


rule fetch:
    """Published weights of a backbone, verified, as safetensors."""
    input:
        converted=conversion,
    output:
        "{folder}/{backbone}-{name}.safetensors",
    log:
        "logs/features/fetch/{folder}/{backbone}-{name}.log",
    benchmark:
        "logs/features/fetch/{folder}/{backbone}-{name}.benchmark.tsv"
    wildcard_constraints:
        folder="|".join(map(re.escape, PLAN.weights_folders)),
        backbone="[a-z0-9_]+|(timm|hf)/[A-Za-z0-9_./-]+",
        name="[a-z0-9_]+",
    conda:
        CONDA_MAFNET
    resources:
        mem_mb=grows_from(2000),
        runtime=60,
    params:
        converted=each("converted", "converted"),
        source=weights_source,
    message:
        "Fetching the weights {wildcards.name} of {wildcards.backbone}."
    shell:
        "mafnet fetch --backbone {wildcards.backbone} --name {wildcards.name} "
        "--folder {wildcards.folder:q} {params.converted:q} "
        "--output {output:q} 2>&1 | tee {log:q}"


rule calibrate:
    """Random weights, with normalisation statistics of the first training videos."""
    input:
        manifests=ancient(manifests),
    output:
        "results/{dataset}/weights/{modality}.safetensors",
    log:
        "logs/features/calibrate/{dataset}-{modality}.log",
    benchmark:
        "logs/features/calibrate/{dataset}-{modality}.benchmark.tsv"
    conda:
        CONDA_MAFNET
    threads: 1  # torch computes the statistics on one thread, for equal weights on any number of cores
    resources:
        mem_mb=grows_from(4000),
        runtime=30,
    params:
        manifests=each("manifest", "manifests"),
        root=lookup(dpath="{dataset}/root", within=VALUES),
        settings=asked("calibration"),
        videos=asked("calibration_inputs"),
        extraction=asked("extraction_version"),
        version=versions.CALIBRATE,
    message:
        "Calibrating random {wildcards.modality} weights on {wildcards.dataset}."
    shell:
        "mafnet calibrate {params.manifests:q} --root {params.root:q} "
        "--settings {params.settings:q} --output {output} --threads {threads} 2>&1 | tee {log}"


rule extract:
    """Features of the clips of one shard and modality (in the cache); the outcome of each video."""
    input:
        media="results/{dataset}/media/{shard}.tsv",
        weights=asked("weights"),
    output:
        "results/{dataset}/features/{modality}/{shard}.tsv",
    log:
        "logs/features/extract/{dataset}-{modality}-{shard}.log",
    benchmark:
        "logs/features/extract/{dataset}-{modality}-{shard}.benchmark.tsv"
    conda:
        CONDA_MAFNET
    threads: EXTRACTION_THREADS
    resources:
        **A_GPU,
        mem_mb=grows_from(6000),
        runtime=240,
        gpu_percent=100,
    params:
        root=lookup(dpath="{dataset}/root", within=VALUES),
        cache=lookup(dpath="{dataset}/cache", within=VALUES),
        settings=asked("extraction"),
        version=asked("extraction_version"),
    message:
        "Extracting {wildcards.modality} features of {wildcards.dataset}, shard {wildcards.shard}."
    shell:
        "mafnet extract --media {input.media} --root {params.root:q} --weights {input.weights:q} "
        "--cache {params.cache:q} --settings {params.settings:q} --output {output} "
        "--threads {threads} 2>&1 | tee {log}"


rule media:
    """Media table of the data set: every video, and the reason if it is not usable."""
    input:
        probed=of_all_shards("results/{dataset}/media/{shard}.tsv"),
        visual=of_all_shards("results/{dataset}/features/visual/{shard}.tsv"),
        audio=of_all_shards("results/{dataset}/features/audio/{shard}.tsv"),
    output:
        "results/{dataset}/media.tsv",
    log:
        "logs/features/media/{dataset}.log",
    benchmark:
        "logs/features/media/{dataset}.benchmark.tsv"
    conda:
        CONDA_MAFNET
    resources:
        mem_mb=grows_with_videos,
        runtime=10,
    params:
        probed=each("probed", "probed"),
        visual=each("visual", "visual"),
        audio=each("audio", "audio"),
        settings=asked("policies"),
        version=versions.MEDIA,
    message:
        "Listing the outcome of every video of {wildcards.dataset}."
    shell:
        "mafnet media {params.probed} {params.visual} {params.audio} "
        "--settings {params.settings:q} --output {output} 2>&1 | tee {log}"


rule pack:
    """Feature file of one modality: one row per video, (N, T, ...), contiguous on disk."""
    input:
        media="results/{dataset}/media.tsv",
        weights=asked("weights"),
    output:
        "results/{dataset}/features/{modality}.h5",
    log:
        "logs/features/pack/{dataset}-{modality}.log",
    benchmark:
        "logs/features/pack/{dataset}-{modality}.benchmark.tsv"
    conda:
        CONDA_MAFNET
    threads: 2
    resources:
        mem_mb=grows_from(4000),
        runtime=120,
    params:
        root=lookup(dpath="{dataset}/root", within=VALUES),
        cache=lookup(dpath="{dataset}/cache", within=VALUES),
        settings=asked("extraction"),
        limit=lookup(dpath="{dataset}/max_failed_fraction", within=VALUES),
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
    """Feature file with the visual maps (N, T, 7, 7, C), 50 times as large; only if a run needs it."""
    output:
        "results/{dataset}/features/{modality}_maps.h5",
    log:
        "logs/features/pack/{dataset}-{modality}-maps.log",
    benchmark:
        "logs/features/pack/{dataset}-{modality}-maps.benchmark.tsv"
    params:
        maps="--maps",
    message:
        "Packing the {wildcards.modality} maps of {wildcards.dataset}."
