# An image with mafnet, its workflow and ffmpeg, for one machine or for clusters that run containers.
#
#     docker build -t mafnet .
#     docker run --rm --user "$(id -u):$(id -g)" -v "$PWD:/work" mafnet --cores 8 results/demo/metrics.json
#
# GPUs need no other base image: the packages of torch contain CUDA, and the driver comes from the host.
# With NVIDIA's container toolkit, add `--gpus all`. Without a GPU, the image is larger than necessary.
FROM python:3.11-slim-bookworm

# libarchive-tools has bsdtar, which unpacks the rar archive of UCF101.
RUN apt-get update \
    && apt-get install -y --no-install-recommends ffmpeg libarchive-tools \
    && rm -rf /var/lib/apt/lists/*

WORKDIR /opt/mafnet
COPY pyproject.toml requirements.lock hatch_build.py README.md LICENSE Snakefile config.yaml ./
COPY envs envs
COPY mafnet mafnet
COPY profiles profiles
COPY resources resources
COPY workflow workflow
# pip accepts no hashes beside a folder to install, so only the versions are kept.
RUN grep -o '^[a-z0-9].*[^ \\]' requirements.lock > versions.txt \
    && python -m pip install --no-cache-dir --constraint versions.txt --editable ".[workflow,openvino]"

# With --user, the process has an id without a name and a home folder, but some packages need both.
ENV HOME=/tmp USER=mafnet NVIDIA_DRIVER_CAPABILITIES=compute,utility,video
RUN useradd --create-home mafnet
USER mafnet
WORKDIR /work
ENTRYPOINT ["snakemake", "--snakefile", "/opt/mafnet/Snakefile"]
