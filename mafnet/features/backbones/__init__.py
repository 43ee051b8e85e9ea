"""The registry of backbones: frozen networks that turn one clip into one feature map.

A new backbone is one file here with one class that follows `Backbone`, and one entry below. The
specs can be read without importing torch.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Protocol

import numpy as np

from mafnet.common.errors import MafnetError


@dataclass(frozen=True)
class BackboneSpec:
    """What is known of a backbone without building it.

    modality: "visual" or "audio".
    feature_shape: shape of one clip's features, channels last.
    version: raised when the features of the same clip and weights change.
    batch: clips of one batch of torch on a CPU; every batch is filled up to it, so that a clip's
        features do not depend on its neighbours.
    location, openvino: "module:class" by torch and by OpenVINO, the latter empty if there is none.
    """

    name: str
    modality: str
    location: str
    openvino: str
    feature_shape: tuple[int, ...]
    version: int
    batch: int


class Backbone(Protocol):
    """A built network: `features = backbone(clips)` (N clips in, N float16 maps out).

    batch: clips that it computes at a time on its device; other numbers of clips are filled up.
    max_workers: how many threads may usefully call it at once; each calls `start_worker` first.
    """

    device: str
    batch: int
    max_workers: int

    def start_worker(self, threads: int) -> None:
        """Prepare the calling thread, whose share is so many cores."""

    def __call__(self, clips: np.ndarray) -> np.ndarray:
        """Features (N, *feature_shape) float16 of N clips.

        A clip is (frames, side, side, 3) uint8 RGB or (samples,) int16.
        """


class TorchBackbone(Backbone, Protocol):
    """A backbone by torch, which also knows how its weights are made and published."""

    @staticmethod
    def random_weights(seed: int) -> dict:
        """A state dict drawn from `seed`."""

    @staticmethod
    def calibrate(weights: dict, batches: Iterable[np.ndarray]) -> dict:
        """The weights with normalisation statistics taken from batches of clips."""

    @staticmethod
    def own_weights(state: dict) -> dict:
        """What the backbone needs of a published state dict, under its own names."""

    def __init__(self, weights: dict, device: str, precision: str) -> None: ...


class OpenVINOBackbone(Backbone, Protocol):
    """A backbone by OpenVINO, on CPUs; its weights are those of torch, as arrays."""

    def __init__(self, weights: Mapping[str, np.ndarray], precision: str, threads: int) -> None: ...


BACKBONES = {
    spec.name: spec
    for spec in (
        BackboneSpec(
            name="densenet201",
            modality="visual",
            location="mafnet.features.backbones.densenet:DenseNet201",
            openvino="mafnet.features.backbones.densenet_openvino:DenseNet201OpenVINO",
            feature_shape=(7, 7, 1920),
            version=1,
            batch=1,
        ),
        BackboneSpec(
            name="vggish",
            modality="audio",
            location="mafnet.features.backbones.vggish:VGGish",
            openvino="mafnet.features.backbones.vggish_openvino:VGGishOpenVINO",
            feature_shape=(12, 8, 512),
            version=1,
            batch=8,
        ),
    )
}


def backbone_spec(name: str) -> BackboneSpec:
    """The spec of a backbone by name; MafnetError lists the known names."""
    if name not in BACKBONES:
        raise MafnetError(f"backbone {name!r} is unknown; choose one of {', '.join(BACKBONES)}")
    return BACKBONES[name]


def backbone_class(name: str) -> type[TorchBackbone]:
    """The class of a backbone by torch, which is imported."""
    return _located(backbone_spec(name).location)


def openvino_class(name: str) -> type[OpenVINOBackbone]:
    """The class of a backbone by OpenVINO; torch is not imported."""
    return _located(backbone_spec(name).openvino)


def _located(place: str) -> type:
    module, _, attribute = place.partition(":")
    return getattr(import_module(module), attribute)
