# Stage 4, model: the video networks, which are fine-tuned end to end on frames.
from mafnet.model.video import PRETRAINED, VERSION, VIDEO_NETWORKS


rule fetch_network:
    """Published weights of a video network, verified, as safetensors."""
    output:
        f"{{folder}}/networks/{{network}}-{PRETRAINED}.safetensors",
    log:
        "logs/model/fetch_network/{folder}/{network}.log",
    benchmark:
        "logs/model/fetch_network/{folder}/{network}.benchmark.tsv"
    wildcard_constraints:
        folder="|".join(map(re.escape, PLAN.weights_folders)),
        network="|".join(VIDEO_NETWORKS),
    conda:
        "../../envs/mafnet.yaml"
    resources:
        mem_mb=grows_from(2000),
        runtime=60,
    params:
        source=network_source,
    message:
        "Fetching the published weights of {wildcards.network}."
    shell:
        "mafnet fetch-network --network {wildcards.network} --folder {wildcards.folder:q} "
        "--output {output:q} 2>&1 | tee {log:q}"


rule finetune:
    """Weights, settings and history of one run of a video network."""
    input:
        manifest=manifest,
        media="results/{dataset}/media.tsv",
        classes=class_files,
        weights=asked("pretrained_weights"),
    output:
        "results/{dataset}/{split}/{variant}/seed{seed}/model.safetensors",
        "results/{dataset}/{split}/{variant}/seed{seed}/settings.json",
        "results/{dataset}/{split}/{variant}/seed{seed}/history.csv",
    log:
        "logs/model/finetune/{dataset}-{split}-{variant}-{seed}.log",
    benchmark:
        "logs/model/finetune/{dataset}-{split}-{variant}-{seed}.benchmark.tsv"
    wildcard_constraints:
        variant=one_of(PLAN.video_variants),
    conda:
        "../../envs/mafnet.yaml"
    threads: EXTRACTION_THREADS
    resources:
        **FINETUNING_GPUS,
        mem_mb=grows_from(16000),
        runtime=2880,
        gpu_percent=lambda wildcards: 100 * PLAN.finetuning_gpus(wildcards.dataset),
    params:
        root=lookup(dpath="{dataset}/root", within=VALUES),
        classes=each("classes", "classes"),
        weights=each("weights", "weights"),
        run=run_folder,
        processes=asked("finetuning_gpus"),
        settings=asked("finetuning"),
        version=VERSION,
    message:
        "Fine-tuning {wildcards.variant} on {wildcards.dataset}/{wildcards.split}, seed {wildcards.seed}."
    shell:
        "mafnet finetune --manifest {input.manifest:q} --media {input.media} --root {params.root:q} "
        "{params.classes:q} {params.weights:q} --settings {params.settings:q} "
        "--seed {wildcards.seed} --output {params.run} --processes {params.processes} "
        "--threads {threads} 2>&1 | tee {log}"


rule evaluate_video:
    """Predictions and metrics of one run of a video network, by videos and by clips."""
    input:
        manifest=manifest,
        media="results/{dataset}/media.tsv",
        run=rules.finetune.output,
    output:
        "results/{dataset}/{split}/{variant}/seed{seed}/predictions.csv",
        "results/{dataset}/{split}/{variant}/seed{seed}/predictions_val.csv",
        "results/{dataset}/{split}/{variant}/seed{seed}/metrics.json",
    log:
        "logs/model/evaluate_video/{dataset}-{split}-{variant}-{seed}.log",
    benchmark:
        "logs/model/evaluate_video/{dataset}-{split}-{variant}-{seed}.benchmark.tsv"
    wildcard_constraints:
        variant=one_of(PLAN.video_variants),
    conda:
        "../../envs/mafnet.yaml"
    threads: EXTRACTION_THREADS
    resources:
        **A_GPU,
        mem_mb=grows_from(16000),
        runtime=480,
        gpu_percent=100,
    params:
        root=lookup(dpath="{dataset}/root", within=VALUES),
        run=run_folder,
        settings=asked("video_evaluation"),
        version=asked("video_evaluation_version"),
    message:
        "Evaluating {wildcards.variant} on {wildcards.dataset}/{wildcards.split}, seed {wildcards.seed}."
    shell:
        "mafnet evaluate-video --manifest {input.manifest:q} --media {input.media} "
        "--root {params.root:q} --settings {params.settings:q} "
        "--split {wildcards.split} --run {params.run} --threads {threads} 2>&1 | tee {log}"
