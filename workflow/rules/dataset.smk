# Stage 1, dataset: files of published data sets, and manifests.


checkpoint demo:
    """Generated mp4 files of small audio-visual events, and their manifest (the demo)."""
    output:
        manifest="data/{dataset}/manifest.csv",
        videos=directory("data/{dataset}/videos"),
    log:
        "logs/dataset/demo/{dataset}.log",
    benchmark:
        "logs/dataset/demo/{dataset}.benchmark.tsv"
    wildcard_constraints:
        dataset=one_of(PLAN.demos),
    conda:
        CONDA_MAFNET
    threads: 4
    resources:
        mem_mb=grows_from(1000),
        runtime=20,
    params:
        settings=asked("demo_settings"),
        version=versions.DEMO,
    message:
        "Generating the videos of {wildcards.dataset}."
    shell:
        "mafnet demo --root data/{wildcards.dataset} --settings {params.settings:q} 2>&1 | tee {log}"


rule download:
    """Archives and lists of a data set with `download: true`, downloaded."""
    output:
        "data/{dataset}/downloads.tsv",
    log:
        "logs/dataset/download/{dataset}.log",
    benchmark:
        "logs/dataset/download/{dataset}.benchmark.tsv"
    wildcard_constraints:
        dataset=one_of(PLAN.published),
    conda:
        CONDA_MAFNET
    resources:
        mem_mb=grows_from(1000),
        runtime=1440,
    params:
        source=lookup(dpath="{dataset}/source", within=VALUES),
        folder=lookup(dpath="{dataset}/archive", within=VALUES),
    message:
        "Downloading {params.source}."
    shell:
        "mafnet download --source {params.source} --folder {params.folder:q} --output {output} "
        "2>&1 | tee {log}"


rule unpack:
    """Videos and lists of a data set, unpacked from its archives; resumes after an interruption."""
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
        dataset=one_of(PLAN.published),
    conda:
        CONDA_MAFNET
    resources:
        mem_mb=grows_from(1000),
        runtime=1440,
    params:
        source=lookup(dpath="{dataset}/source", within=VALUES),
        archive=lookup(dpath="{dataset}/archive", within=VALUES),
        lists=each("lists", "lists"),
    message:
        "Unpacking {params.archive}."
    shell:
        "mafnet unpack --source {params.source} --archive {params.archive:q} {params.lists:q} "
        "--folder data/{wildcards.dataset}/unpacked --output {output} 2>&1 | tee {log}"


checkpoint prepare:
    """Manifest of one split of a published data set, and its description (.json)."""
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
        dataset=one_of(PLAN.published),
    conda:
        CONDA_MAFNET
    resources:
        mem_mb=grows_from(1000),
        runtime=30,
    params:
        source=lookup(dpath="{dataset}/source", within=VALUES),
        lists=lookup(dpath="{dataset}/lists", within=VALUES),
        root=lookup(dpath="{dataset}/root", within=VALUES),
        settings=asked("holdout"),
        version=versions.PREPARE,
    message:
        "Writing the manifest {wildcards.split} of {wildcards.dataset}."
    shell:
        "mafnet prepare --source {params.source} --split {wildcards.split} --lists {params.lists:q} "
        "--root {params.root:q} --settings {params.settings:q} --output {output.manifest} "
        "2>&1 | tee {log}"
