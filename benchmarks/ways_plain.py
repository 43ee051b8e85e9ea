"""Sets up each stage in the plain way, with the functions of plain.py and plain_head.py."""

import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from benchmarks import plain
from benchmarks.inputs import BACKBONES, Inputs
from benchmarks.measured import Ready

HEAD_NAMES = {
    "film": "audio_block.film.generator",
    "conv1": "audio_block.conv1x1",
    "conv3": "audio_block.conv3x3",
    "conv_norm": "audio_block.norm",
    "visual": "visual_dense.linear",
    "visual_norm": "visual_dense.norm",
    "audio": "audio_dense.linear",
    "audio_norm": "audio_dense.norm",
    "score1": "attention.score.0",
    "score2": "attention.score.2",
    "classifier": "classifier.linear",
    "logits_norm": "classifier.norm",
}
"""Layer of the plain MAFnet -> name of the same layer in mafnet."""


def threaded(inputs: Inputs) -> None:
    """Set the number of threads of torch; imports torch."""
    import torch

    torch.set_num_threads(inputs.threads)


def videos(inputs: Inputs) -> list[Path]:
    """All videos."""
    return sorted(inputs.root.glob("*.mp4"))


def decode(inputs: Inputs, modality: str) -> Ready:
    """Decode all videos through JPEG or WAV files; the result is the first video."""
    read = plain.frames_of if modality == "visual" else plain.waveform_of
    last = []

    def work() -> None:
        last.clear()
        for video in videos(inputs):
            with tempfile.TemporaryDirectory(dir=inputs.folder) as folder:
                last.append(read(video, Path(folder), inputs.threads))

    work()
    return Ready(work, lambda: last[0])


def network(inputs: Inputs, modality: str, videos: int) -> Ready:
    """Compute the features of the first video several times, from the same input as ours."""
    threaded(inputs)
    clips = inputs.clips(modality)
    if modality == "visual":
        chosen = plain.visual_network(inputs.weights(modality))
        given, compute, second = clips.reshape(-1, *clips.shape[2:]), plain.visual_features, 16
    else:
        chosen = plain.audio_network(inputs.weights(modality))
        given, compute, second = clips.ravel() / np.float32(32768), plain.audio_features, 16_000
    compute(chosen, given[:second])
    last = {}

    def work() -> None:
        for _ in range(videos):
            last["maps"] = compute(chosen, given)

    return Ready(work, lambda: last["maps"])


def write(inputs: Inputs) -> Ready:
    """Write the features of a batch of videos to pickles."""
    folder = inputs.folder / "plain-written"
    folder.mkdir()
    maps = {(n, m): inputs.maps(n, m) for n in range(inputs.batch) for m in BACKBONES}

    def work() -> None:
        for (number, modality), features in maps.items():
            plain.write_pickle(features, folder / f"{number}.{modality}.pickle")

    work()
    return Ready(work, lambda: plain.read_pickle(folder / "0.visual.pickle"))


def read(inputs: Inputs) -> Ready:
    """Read a batch of videos from pickles; the result is the visual vectors."""
    threaded(inputs)
    from benchmarks.plain_head import read_batch

    last = {}

    def work() -> None:
        last["batch"] = read_batch(inputs.made, inputs.names[: inputs.batch])

    work()
    return Ready(work, lambda: last["batch"][0].numpy())


def ours_to_plain(weights: dict, wanted: Iterable[str]) -> dict:
    """Weights of our MAFnet, renamed for the plain one."""
    keys = [key.rpartition(".") for key in wanted]
    return {f"{name}.{part}": weights[f"{HEAD_NAMES[name]}.{part}"] for name, _, part in keys}


def head(inputs: Inputs) -> "plain_head.PlainMAFnet":  # noqa: F821 - imported when needed
    """The plain MAFnet with the same first weights as ours."""
    threaded(inputs)
    from safetensors.torch import load_file

    from benchmarks.plain_head import PlainMAFnet

    network = PlainMAFnet(inputs.classes)
    weights = load_file(inputs.folder / "head.safetensors")
    network.load_state_dict(ours_to_plain(weights, network.state_dict()))
    return network


def train(inputs: Inputs) -> Ready:
    """Run one training step on a batch in memory; the result is all losses so far."""
    network = head(inputs)
    import torch

    from benchmarks.plain_head import read_batch, step

    optimiser = torch.optim.Adam(network.parameters(), lr=1e-4)
    batch = read_batch(inputs.made, inputs.names[: inputs.batch])
    labels = torch.from_numpy(inputs.labels[: inputs.batch])
    losses = []

    def work() -> None:
        losses.append(step(network, optimiser, batch, labels))

    work()
    work()
    return Ready(work, lambda: np.array(losses))


def evaluate(inputs: Inputs) -> Ready:
    """Read a batch of videos from pickles and compute probabilities."""
    network = head(inputs)
    from benchmarks.plain_head import evaluate as probabilities

    last = {}

    def work() -> None:
        names = inputs.names[inputs.batch :]
        last["found"] = probabilities(network, inputs.made, names, inputs.batch)

    work()
    return Ready(work, lambda: last["found"])


def extract(inputs: Inputs) -> Ready:
    """Extract both modalities of the first video to pickles; networks are built before."""
    threaded(inputs)
    networks = [
        plain.visual_network(inputs.weights("visual")),
        plain.audio_network(inputs.weights("audio")),
    ]
    output = inputs.folder / "plain-extracted"

    def work() -> None:
        plain.extract(videos(inputs)[:1], networks, output, inputs.threads)

    return Ready(work, lambda: plain.read_pickle(output / "0.visual.pickle"))


def extract_process(inputs: Inputs) -> Ready:
    """Extract all videos to pickles in a new process."""
    output = inputs.folder / "plain-process"
    command = [sys.executable, plain.__file__, *map(str, videos(inputs))]
    command += ["--visual", str(inputs.weights("visual")), "--audio", str(inputs.weights("audio"))]
    command += ["--output", str(output), "--threads", str(inputs.threads)]

    def work() -> None:
        subprocess.run(command, check=True)

    return Ready(work, lambda: plain.read_pickle(output / "0.visual.pickle"))
