"""Sets up each stage as mafnet does it: the code that the rules run, on the CPU."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import yaml

from benchmarks.inputs import BACKBONES, SMALL, Inputs
from benchmarks.measured import Ready

if TYPE_CHECKING:
    from mafnet.features.cache import FeatureCache
    from mafnet.features.extract import Extractor
    from mafnet.model.batches import Reader
    from mafnet.model.data import Data
    from mafnet.model.networks.blocks import Network
    from mafnet.video.media import Media

ROOT = Path(__file__).resolve().parents[1]


def settings(inputs: Inputs, modality: str, precision: str, small: bool = False) -> dict:
    """Settings of a modality from config.yaml, with random weights and the measured precision.

    small: True for the small pair of networks.
    """
    config = yaml.safe_load((ROOT / "config.yaml").read_text(encoding="utf-8"))
    backbone = (SMALL if small else BACKBONES)[modality]
    own = {"backbone": backbone, "weights": "random", "precision": precision}
    return {
        "video": config["video"] | {"clips": inputs.seconds},
        "features": config["features"][modality] | own | {"backend": inputs.backend},
    }


def extractor(
    inputs: Inputs,
    modality: str,
    precision: str,
    cache: Path,
    small: bool = False,
    frames: int | None = None,
) -> "Extractor":
    """The extractor that `mafnet extract` uses.

    frames: of each second, if not those of config.yaml.
    """
    from mafnet.features.extract import extractor as ours

    chosen = settings(inputs, modality, precision, small)
    chosen["video"] |= {"frames_per_clip": frames} if frames else {}
    weights = inputs.weights(modality, small)
    return ours(inputs.root, weights, cache, chosen, inputs.threads, device="cpu")


def probed(inputs: Inputs) -> "list[Media]":
    """The media table."""
    from mafnet.video.media import read_media

    return read_media(inputs.folder / "media.tsv")


def made_media(inputs: Inputs) -> "list[Media]":
    """A media table of the videos with made-up features."""
    from mafnet.video.media import Media

    return [Media(name, sha256=f"{number:064x}") for number, name in enumerate(inputs.names)]


def decode(inputs: Inputs, modality: str) -> Ready:
    """Decode all videos with the decoder pool; the result is the first video."""
    from mafnet.features.decode_pool import Clip, decode_in_parallel
    from mafnet.video.config import VideoSettings

    media, chosen = probed(inputs), VideoSettings(clips=inputs.seconds)
    last = []

    def work() -> None:
        events = decode_in_parallel(media, inputs.root, modality, chosen, inputs.threads)
        last[:] = [event for event in events if isinstance(event, Clip)]

    def first() -> np.ndarray:
        clips = np.concatenate([clip.data for clip in last if clip.video == 0])
        return clips if modality == "visual" else clips / np.float32(32768)

    work()
    return Ready(work, first)


def network(inputs: Inputs, modality: str, videos: int, precision: str) -> Ready:
    """Compute the features of the first video several times, in batches as in extraction."""
    from mafnet.features.backends import build_backbone
    from mafnet.features.config import FeatureSettings
    from mafnet.features.parallel import in_parallel

    chosen = FeatureSettings(**settings(inputs, modality, precision)["features"])
    backbone = build_backbone(chosen, inputs.weights(modality), "cpu", inputs.threads)
    clips = np.concatenate([inputs.clips(modality)] * videos)
    batches = [clips[at : at + backbone.batch] for at in range(0, len(clips), backbone.batch)]
    last = []

    def work() -> None:
        last[:] = [maps for _, maps in in_parallel(backbone, batches, backbone, inputs.threads)]

    backbone(batches[0])
    return Ready(work, lambda: np.concatenate(last)[: inputs.seconds])


def write(inputs: Inputs) -> Ready:
    """Write the features of a batch of videos to the cache."""
    from mafnet.features.cache import Entry

    cache, media = inputs.folder / "ours-written", made_media(inputs)[: inputs.batch]
    caches = {m: extractor(inputs, m, "float32", cache).cache for m in BACKBONES}
    entries = [
        (modality, row.sha256, Entry(inputs.maps(number, modality).astype(np.float16)))
        for modality in BACKBONES
        for number, row in enumerate(media)
    ]

    def work() -> None:
        for modality, sha256, entry in entries:
            caches[modality].write(sha256, entry)

    work()
    return Ready(work, lambda: caches["visual"].read(media[0].sha256).clips)


def pack(inputs: Inputs) -> Ready:
    """Copy a batch of videos from the cache to the feature files that training reads."""
    from mafnet.features.feature_file import open_features
    from mafnet.features.pack import pack as ours

    media = made_media(inputs)[: inputs.batch]
    workers = [extractor(inputs, m, "float32", inputs.made / "cache") for m in BACKBONES]
    paths = [inputs.folder / f"packed-{modality}.h5" for modality in BACKBONES]

    def work() -> None:
        for worker, path in zip(workers, paths, strict=True):
            ours(media, worker, path, maps=worker.name == "audio")

    work()
    return Ready(work, lambda: np.array(open_features(paths[0]).layers["pooled"]))


def data(inputs: Inputs) -> "Data":
    """The made-up features, opened for training."""
    from mafnet.model.data import Data

    files = [inputs.made / f"{modality}.h5" for modality in BACKBONES]
    return Data(inputs.made / "manifest.csv", files, None)


def reader(opened: "Data", inputs: Inputs, precision: str) -> "Reader":
    """A reader of batches to the CPU, as in `mafnet train` and `mafnet evaluate`; imports torch."""
    from mafnet.model.batches import Reader
    from mafnet.model.commands import computing_device

    return Reader(opened, ("visual", "audio"), computing_device("cpu", inputs.threads), precision)


def resolved(precision: str) -> str:
    """The precision that a setting chooses on this CPU; imports torch."""
    import torch

    from mafnet.model.mixed_precision import resolve

    return resolve(precision, torch.device("cpu"))


def read(inputs: Inputs) -> Ready:
    """Read a batch of videos from the feature files; the result is the visual vectors."""
    opened = data(inputs)
    reading, rows = reader(opened, inputs, resolved("auto")), opened.subset("train").rows
    last = {}

    def work() -> None:
        last["features"] = reading.features(rows)

    work()
    return Ready(work, lambda: last["features"].visual.float().numpy())


def head(inputs: Inputs) -> "Network":
    """MAFnet with the first weights that both ways use."""
    from safetensors.torch import load_file

    from mafnet.model.networks import build_network, reduced

    network = build_network(
        "mafnet", classes=inputs.classes, visual_features=1920, audio_features=512, options={}
    )
    reduced.install(network)
    network.load_state_dict(load_file(inputs.folder / "head.safetensors"))
    return network


def train(inputs: Inputs, precision: str) -> Ready:
    """Run one training step on a batch in memory; the result is all losses so far."""
    import torch

    from mafnet.model.balance.base import Balance
    from mafnet.model.config import Training
    from mafnet.model.train import new_optimiser, step

    opened, precision = data(inputs), resolved(precision)
    chosen = Training(learning_rate=1e-4, precision=precision)
    subset = opened.subset("train")
    features = reader(opened, inputs, precision).features(subset.rows)
    labels = torch.from_numpy(subset.labels)
    network = head(inputs).train()
    balance = Balance(network, chosen)
    optimiser = new_optimiser(network, chosen, balance)
    losses = []

    def work() -> None:
        losses.append(step(network, optimiser, balance, features, labels).item())

    work()
    work()
    return Ready(work, lambda: np.array(losses))


def evaluate(inputs: Inputs, precision: str) -> Ready:
    """Read a batch of videos from the feature files and compute probabilities."""
    from mafnet.model.batches import predict

    opened, precision = data(inputs), resolved(precision)
    reading, network = reader(opened, inputs, precision), head(inputs)
    subset = opened.subset("test")
    last = []

    def work() -> None:
        batches = predict(network, reading, subset, inputs.batch, precision)
        last[:] = [probabilities.numpy() for probabilities, _ in batches]

    work()
    return Ready(work, lambda: np.concatenate(last))


def extract(
    inputs: Inputs, precision: str, small: bool = False, frames: int | None = None
) -> Ready:
    """Extract both modalities of the first video to the cache; networks are built before."""
    media = probed(inputs)[:1]
    cache = Path(tempfile.mkdtemp(dir=inputs.folder))
    workers = [extractor(inputs, name, precision, cache, small, frames) for name in BACKBONES]

    def work() -> None:
        for worker in workers:
            worker.cache.discard(media[0].sha256)
            worker.extract(media)

    work()
    return Ready(work, _visual_of(lambda: workers[0].cache, inputs))


def extract_process(inputs: Inputs, precision: str) -> Ready:
    """Extract all videos to the cache with two commands `mafnet extract`, one for each modality."""
    folder = Path(tempfile.mkdtemp(dir=inputs.folder))
    caches = []

    def work() -> None:
        caches.append(folder / f"cache{len(caches)}")
        for modality in BACKBONES:
            _run(_command(inputs, modality, precision, caches[-1]))

    def cache() -> "FeatureCache":
        return extractor(inputs, "visual", precision, caches[-1]).cache

    return Ready(work, _visual_of(cache, inputs))


def _run(command: list[str]) -> None:
    """Run a command in the checkout; exit with its error output if it fails."""
    done = subprocess.run(command, cwd=ROOT, stderr=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        sys.exit(done.stderr)


def _visual_of(cache: "Callable[[], FeatureCache]", inputs: Inputs) -> Callable[[], np.ndarray]:
    """A function that reads the visual features of the first video."""
    return lambda: cache().read(probed(inputs)[0].sha256).clips


def _command(inputs: Inputs, modality: str, precision: str, cache: Path) -> list[str]:
    """The command `mafnet extract` as in the rule."""
    options = {
        "--media": inputs.folder / "media.tsv",
        "--root": inputs.root,
        "--weights": inputs.weights(modality),
        "--cache": cache,
        "--settings": json.dumps(settings(inputs, modality, precision)),
        "--output": cache / f"{modality}.tsv",
        "--threads": inputs.threads,
        "--device": "cpu",
    }
    arguments = [str(part) for pair in options.items() for part in pair]
    return [sys.executable, "-m", "mafnet", "extract", *arguments]
