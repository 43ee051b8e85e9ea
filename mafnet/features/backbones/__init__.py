"""The registry of backbones: frozen networks that turn one clip into one feature map.

A new backbone is one file in `zoo` with a subclass of `FrozenNetwork`, and one entry below. Random
weights, OpenVINO and GPUs need no further code. The specs can be read without importing torch.
"""

from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Protocol

import numpy as np

from mafnet.common.errors import MafnetError, hint
from mafnet.features.backbones.hub import hub_spec, is_hub
from mafnet.features.backbones.spec import (
    AudioBackbone,
    BackboneSpec,
    Normalisation,
    VisualBackbone,
    log_mel_patches,
)

if TYPE_CHECKING:
    from mafnet.features.backbones.network import FrozenNetwork


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


BACKBONES: dict[str, BackboneSpec] = {
    spec.name: spec
    for spec in (
        VisualBackbone(
            name="densenet201",
            location="densenet201:DenseNet201",
            feature_shape=(7, 7, 1920),
        ),
        VisualBackbone(
            name="efficientnet_lite0",
            location="efficientnet_lite0:EfficientNetLite0",
            feature_shape=(7, 7, 1280),
            interpolation="bicubic",
            normalisation=Normalisation(1.0, (127.0,) * 3, (128.0,) * 3),
        ),
        VisualBackbone(
            name="vgg19",
            location="vgg19:VGG19",
            feature_shape=(7, 7, 512),
        ),
        AudioBackbone(
            name="vggish",
            location="vggish:VGGish",
            feature_shape=(12, 8, 512),
            front_end=partial(log_mel_patches, offset=0.01),
        ),
        AudioBackbone(
            name="vggish_pca",
            location="vggish_pca:VGGishPCA",
            feature_shape=(1, 1, 128),
            front_end=partial(log_mel_patches, offset=0.01),
        ),
        AudioBackbone(
            name="yamnet",
            location="yamnet:YAMNet",
            feature_shape=(3, 2, 1024),
            classes="audioset_yamnet",
            front_end=partial(log_mel_patches, offset=0.001),
        ),
    )
}


def backbone_spec(name: str) -> BackboneSpec:
    """The spec of a backbone by name; MafnetError suggests a similar name."""
    if is_hub(name):
        return hub_spec(name)
    if name not in BACKBONES:
        raise MafnetError(f"backbone {name!r} is unknown; {hint(name, BACKBONES)}")
    return BACKBONES[name]


def frozen_network(name: str) -> "FrozenNetwork":
    """The network of a backbone, without weights; torch is imported."""
    spec = backbone_spec(name)
    module, _, attribute = spec.location.partition(":")
    return getattr(import_module(f"{__name__}.zoo.{module}"), attribute)(spec)
