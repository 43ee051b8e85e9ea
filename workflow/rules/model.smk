# Stage 4, model: one run is one variant on one split with one seed.


rule train:
    """Weights, settings and history of one run: a variant, a split and a seed."""
    input:
        manifest=manifest,
        features=feature_files,
        classes=class_files,
        members=member_runs,
    output:
        "results/{dataset}/{split}/{variant}/seed{seed}/model.safetensors",
        "results/{dataset}/{split}/{variant}/seed{seed}/settings.json",
        "results/{dataset}/{split}/{variant}/seed{seed}/history.csv",
    log:
        "logs/model/train/{dataset}-{split}-{variant}-{seed}.log",
    benchmark:
        "logs/model/train/{dataset}-{split}-{variant}-{seed}.benchmark.tsv"
    wildcard_constraints:
        variant=not_one_of(PLAN.video_variants),
    conda:
        CONDA_MAFNET
    threads: 1
    resources:
        **A_GPU,
        mem_mb=grows_from(4000),
        runtime=240,
        gpu_percent=asked("run_gpu_percent"),
    params:
        features=trained_on,
        classes=each("classes", "classes"),
        run=run_folder,
        settings=asked("training"),
        version=asked("training_version"),
    message:
        "Training {wildcards.variant} on {wildcards.dataset}/{wildcards.split}, seed {wildcards.seed}."
    shell:
        "mafnet train --manifest {input.manifest:q} {params.features} {params.classes:q} "
        "--settings {params.settings:q} --seed {wildcards.seed} --output {params.run} "
        "--threads {threads} 2>&1 | tee {log}"


rule evaluate:
    """Predictions, attention and metrics of one run on the test subset; predictions on val too."""
    input:
        manifest=manifest,
        features=feature_files,
        run=rules.train.output,
    output:
        "results/{dataset}/{split}/{variant}/seed{seed}/predictions.csv",
        "results/{dataset}/{split}/{variant}/seed{seed}/predictions_val.csv",
        "results/{dataset}/{split}/{variant}/seed{seed}/attention.npz",
        "results/{dataset}/{split}/{variant}/seed{seed}/metrics.json",
    log:
        "logs/model/evaluate/{dataset}-{split}-{variant}-{seed}.log",
    benchmark:
        "logs/model/evaluate/{dataset}-{split}-{variant}-{seed}.benchmark.tsv"
    wildcard_constraints:
        variant=not_one_of(PLAN.video_variants),
    conda:
        CONDA_MAFNET
    threads: 1
    resources:
        **A_GPU,
        mem_mb=grows_from(4000),
        runtime=60,
        gpu_percent=asked("run_gpu_percent"),
    params:
        features=each("features", "features"),
        run=run_folder,
        settings=asked("evaluation"),
        version=asked("evaluation_version"),
    message:
        "Evaluating {wildcards.variant} on {wildcards.dataset}/{wildcards.split}, seed {wildcards.seed}."
    shell:
        "mafnet evaluate --manifest {input.manifest:q} {params.features} "
        "--settings {params.settings:q} --split {wildcards.split} --run {params.run} "
        "--threads {threads} 2>&1 | tee {log}"
