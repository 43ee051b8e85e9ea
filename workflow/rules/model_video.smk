# Stage 4, model: the video networks, which are fine-tuned end to end on frames.
from mafnet.model.video import PRETRAINED, VIDEO_NETWORKS


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
