"""Run folders with networks that nothing trained, on quick backbones with random weights."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from support.made_runs import made_test_samples, write_run

from mafnet.common.files import sha256_of
from mafnet.features.backbones import backbone_spec, frozen_network
from mafnet.features.config import FeatureSettings
from mafnet.features.fingerprint import fingerprint_of
from mafnet.model.config import Training
from mafnet.model.networks import build_network, network_spec
from mafnet.model.networks.blocks import BatchNorm
from mafnet.model.run_folder import RunFolder
from mafnet.model.settings import RunSettings
from mafnet.video.config import VideoSettings

BACKBONES = {"visual": "efficientnet_lite0", "audio": "yamnet"}
CLASSES = ("bark", "horn", "rain")


def write_weights(folder: Path, backbones: Mapping[str, str] = BACKBONES) -> None:
    """Random weights of the backbones, where a workflow puts them."""
    folder.mkdir(parents=True, exist_ok=True)
    generator = np.random.default_rng(0)
    clips = {
        "visual": generator.integers(0, 256, (4, 2, 224, 224, 3), np.uint8),
        "audio": generator.integers(-8000, 8000, (4, 16000), np.int16),
    }
    for modality, name in backbones.items():
        network = frozen_network(name)
        weights = network.calibrate(network.random_weights(0), [clips[modality]])
        save_file(weights, folder / f"{modality}.safetensors")


def untrained_run(
    root: Path, network: str = "mafnet", options: Mapping | None = None, clips: int = 2,
    classes: Sequence[str] = CLASSES, weights: Path | None = None, frames: int = 2,
) -> Path:  # fmt: skip
    """A run at root/results/made/main/NETWORK/seed0 with random weights and random predictions.

    weights: folder of `write_weights`; without it the fingerprints have the sha256 of nothing.
    """
    own = dict(options or {"hidden": 8})
    spec = network_spec(network)
    features = {name: _fingerprint(name, weights, clips, frames) for name in spec.modalities(own)}
    results = root / "results/made"
    samples = made_test_samples(classes, clips=clips)
    probabilities = np.random.default_rng(0).dirichlet(np.ones(len(classes)), len(samples))
    path = write_run(results, samples, classes, probabilities, variant=network, clips=clips)
    settings = RunSettings(
        network, network, own, Training(precision="float32"), 0, list(classes), clips, features,
        "cpu: made",
    )  # fmt: skip
    run = RunFolder(path)
    metrics = run.read_metrics() | {"settings": settings.digest}
    run.write_settings(settings)
    run.write_weights(_network(settings).state_dict(), settings)
    run.write_metrics(metrics)
    return path


def _fingerprint(modality: str, weights: Path | None, clips: int, frames: int) -> dict:
    spec = backbone_spec(BACKBONES[modality])
    own = {"frame_size": 224} if modality == "visual" else {}
    video = VideoSettings(clips=clips, frames_per_clip=frames, **own)
    digest = sha256_of(weights / f"{modality}.safetensors") if weights else "0" * 64
    settings = FeatureSettings(backbone=spec.name, weights="random")
    return fingerprint_of(settings, video, digest).as_dict()


def _network(settings: RunSettings) -> torch.nn.Module:
    """A network whose running statistics are not those of a fresh one."""
    torch.manual_seed(0)
    widths = {
        f"{name}_features": backbone_spec(BACKBONES[name]).feature_shape[-1] for name in BACKBONES
    }
    network = build_network(
        settings.network, classes=len(settings.classes), options=settings.options, **widths
    )
    for layer in network.modules():
        if isinstance(layer, BatchNorm):
            layer.running_mean.normal_(std=0.1)
            layer.running_var.uniform_(0.5, 2)
    return network
