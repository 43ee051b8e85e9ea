"""The registry of backbones: frozen networks that turn one clip into one feature map.

A new backbone is one file here with a subclass of `TorchBackbone`, and one entry below. OpenVINO
computes it too, without further code. The specs can be read without importing torch.
"""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Protocol

import numpy as np

from mafnet.common.errors import MafnetError
from mafnet.features.backbones.network_inputs import frames, log_mel_patches

if TYPE_CHECKING:
    from mafnet.features.backbones.inference import TorchBackbone


@dataclass(frozen=True)
class BackboneSpec:
    """What is known of a backbone without building it.

    modality: "visual" or "audio".
    feature_shape: shape of one clip's features, channels last.
    version: raised when the features of the same clip and weights change.
    batch: clips of one batch of torch on a CPU; every batch is filled up to it, so that a clip's
        features do not depend on its neighbours.
    location: "module:class", a subclass of `TorchBackbone`.
    inputs: makes the network's input (N, I, ...) of N decoded clips; the maps of a clip's I items
        are averaged.
    """

    name: str
    modality: str
    location: str
    inputs: Callable[[np.ndarray], np.ndarray]
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


BACKBONES = {
    spec.name: spec
    for spec in (
        BackboneSpec(
            name="densenet201",
            modality="visual",
            location="mafnet.features.backbones.densenet:DenseNet201",
            inputs=frames,
            feature_shape=(7, 7, 1920),
            version=1,
            batch=1,
        ),
        BackboneSpec(
            name="vggish",
            modality="audio",
            location="mafnet.features.backbones.vggish:VGGish",
            inputs=log_mel_patches,
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


def backbone_class(name: str) -> "type[TorchBackbone]":
    """The class of a backbone; torch is imported."""
    module, _, attribute = backbone_spec(name).location.partition(":")
    return getattr(import_module(module), attribute)
