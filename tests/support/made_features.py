"""Feature files with random values, in the real format."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from mafnet.dataset.manifest import Sample, write_manifest
from mafnet.features.backbones import Backbone
from mafnet.features.cache import Entry, FeatureCache
from mafnet.features.config import FeatureSettings
from mafnet.features.extract import Extractor
from mafnet.features.fingerprint import fingerprint_of
from mafnet.features.pack import pack
from mafnet.model.data import Data
from mafnet.video.config import VideoSettings
from mafnet.video.media import Media

BACKBONE = {"visual": "densenet201", "audio": "vggish"}


def never() -> Backbone:
    """Backbone factory for an extractor that must find all features in its cache."""
    raise AssertionError("a video that is in the cache is extracted")


def extractor(root: Path, modality: str, clips: int = 2, backbone: str = "") -> Extractor:
    """An extractor without a network; its videos and its cache are in `root`.

    backbone: default: that of BACKBONE.
    """
    video = VideoSettings(clips=clips)
    fingerprint = fingerprint_of(
        FeatureSettings(backbone=backbone or BACKBONE[modality], weights="random"),
        video,
        "0" * 64,
    )
    return Extractor(FeatureCache(root / "cache", fingerprint), root, video, never, workers=1)


def made_samples(counts: Mapping[str, int], classes: int = 3) -> list[Sample]:
    """Samples for each class, `counts[subset]` in each subset, each with its own video."""
    numbers = [(subset, n) for subset, count in counts.items() for n in range(count)]
    return [
        Sample(f"{subset}{n}-{c}", f"{subset}{n}-{c}.mp4", f"class{c}", subset)
        for subset, n in numbers
        for c in range(classes)
    ]


def made_maps(label: str, shape: tuple[int, ...], generator: np.random.Generator) -> np.ndarray:
    """Maps (*shape) as after a ReLU; a third of the channels, by label, has larger values."""
    maps = generator.normal(-0.5, 1, shape)
    maps[..., int(label[-1]) :: 3] += 0.3
    return np.maximum(maps, 0).astype(np.float16)


def write_features(
    root: Path, samples: list[Sample], modality: str, clips: int = 2, name: str = ""
) -> Path:
    """Cache and pack random features of the samples' videos; returns the feature file.

    name: name of the file; default: the modality. `visual_maps` also contains the maps.
    """
    worker = extractor(root, modality, clips)
    generator = np.random.default_rng(len(modality))
    media = []
    for number, sample in enumerate(sorted(samples, key=lambda sample: sample.video)):
        row = Media(sample.video, sha256=f"{number:064x}")
        maps = made_maps(sample.label, (clips, *worker.spec.feature_shape), generator)
        worker.cache.write(row.sha256, Entry(maps))
        media.append(row)
    name = name or modality
    path = root / f"{name}.h5"
    pack(media, worker, path, maps=name in ("audio", "visual_maps"))
    return path


def write_maps(root: Path, backbone: str, videos: list[str], maps: np.ndarray) -> Path:
    """Cache and pack maps (N, T, P, Q, C) of an audio backbone; returns the feature file."""
    worker = extractor(root, "audio", maps.shape[1], backbone)
    media = [Media(video, sha256=f"{number:064x}") for number, video in enumerate(videos)]
    for row, values in zip(media, maps, strict=True):
        worker.cache.write(row.sha256, Entry(values))
    pack(media, worker, root / "audio.h5", maps=True)
    return root / "audio.h5"


def made_data(root: Path, samples: list[Sample], modalities: tuple[str, ...]) -> Data:
    """Write the manifest and the feature files of the samples in `root`, and open them."""
    write_manifest(samples, root / "manifest.csv")
    files = [write_features(root, samples, modality) for modality in modalities]
    return Data(root / "manifest.csv", files, None)
