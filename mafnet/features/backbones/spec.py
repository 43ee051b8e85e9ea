"""What is known of a backbone without building it; readable without torch.

N clips of I items each (frames, patches of sound): the maps of a clip's items are averaged into the
clip's features.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from mafnet.features.backbones.logmel import log_mel
from mafnet.video.config import SAMPLE_RATE, VideoSection


@dataclass(frozen=True)
class Normalisation:
    """RGB values x (0 to 255) become (x / scale - mean) / deviation."""

    scale: float
    mean: tuple[float, float, float]
    deviation: tuple[float, float, float]


IMAGENET = Normalisation(255.0, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
"""Mean and standard deviation of RGB values in [0, 1], over ImageNet's training images."""


@dataclass(frozen=True, kw_only=True)
class BackboneSpec:
    """What both modalities share.

    location: "module:class" in `backbones/zoo`, a subclass of `FrozenNetwork`.
    feature_shape: (P, Q, C), shape of one clip's features, channels last; a network without
        places has P = Q = 1.
    version: raised when the features of the same clip and weights change.
    classes: list in resources/classes of the classes that the layer `classifier` of the weights
        scores; empty if the weights have none.
    folder: of a model of a hub. package: builds the network, apart from torch.
    batch, gpu_batch: clips of one batch of torch on a CPU and on a GPU. Every batch is filled up
        to it, so that a clip's features do not depend on its neighbours.
    """

    modality: ClassVar[str]
    name: str
    location: str
    feature_shape: tuple[int, int, int]
    version: int = 1
    classes: str = ""
    folder: Path | None = None
    package: str = "torchvision"
    batch: int
    gpu_batch: int

    @property
    def has_places(self) -> bool:
        """True if a map has more than one place."""
        return self.feature_shape[:2] != (1, 1)

    def inputs(self, clips: np.ndarray) -> np.ndarray:
        """The network's input (N, I, ...) of N decoded clips."""
        raise NotImplementedError

    def pooled(self, features: np.ndarray) -> np.ndarray:
        """The vectors (N, C) float32 of features (N, P, Q, C): the mean over all places."""
        return features.mean(axis=(1, 2), dtype=np.float32)

    def decoding(self, video: VideoSection) -> dict[str, Any]:
        """The settings of `VideoSettings` that follow from the network."""
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True)
class VisualBackbone(BackboneSpec):
    """A network that reads frames.

    side: S, of its frames, in pixels. interpolation: that of its authors, which
    `video.interpolation: auto` takes.
    """

    modality = "visual"
    side: int = 224
    interpolation: str = "bilinear"
    normalisation: Normalisation = IMAGENET
    batch: int = 1
    gpu_batch: int = 32

    def inputs(self, clips: np.ndarray) -> np.ndarray:
        """The frames of clips (N, I, H, W, 3), uint8 RGB, as they are: I is their number."""
        if clips.ndim != 5 or clips.shape[-1] != 3 or clips.dtype != np.uint8:
            raise ValueError(f"frames are uint8 (N, F, H, W, 3), not {clips.dtype} {clips.shape}")
        return clips

    def decoding(self, video: VideoSection) -> dict[str, Any]:
        own = {"interpolation": self.interpolation} if video.interpolation == "auto" else {}
        return own | {"frame_size": self.side}


@dataclass(frozen=True, kw_only=True)
class AudioBackbone(BackboneSpec):
    """A network that reads sound.

    sample_rate: in hertz. window_seconds: length of the sound that is centred on a clip; 1 is the
    clip itself. front_end: float32 samples (N, S) in [-1, 1) to the network's input (N, I, ...).
    """

    modality = "audio"
    sample_rate: int = SAMPLE_RATE
    window_seconds: float = 1.0
    front_end: Callable[[np.ndarray], np.ndarray]
    batch: int = 8
    gpu_batch: int = 128

    def inputs(self, clips: np.ndarray) -> np.ndarray:
        """The front end's output (N, I, ...) of clips (N, S), int16.

        float32 at lower precisions of the network too: logarithms are steep.
        """
        if clips.ndim != 2 or clips.dtype != np.int16:
            raise ValueError(f"sound is int16 (N, S), not {clips.dtype} {clips.shape}")
        return self.front_end(clips.astype(np.float32) / 32768.0)

    def decoding(self, video: VideoSection) -> dict[str, Any]:
        # Only what differs from VGGish's: results of earlier versions recorded neither.
        own = {"sample_rate": self.sample_rate, "window_seconds": self.window_seconds}
        usual = {"sample_rate": SAMPLE_RATE, "window_seconds": 1.0}
        return {key: value for key, value in own.items() if value != usual[key]}


def log_mel_patches(samples: np.ndarray, offset: float) -> np.ndarray:
    """One log-mel patch (N, 1, 1, 96, 64) of each clip (N, S) at 16 kHz."""
    return log_mel(samples, offset)[:, None, None]


def waveform(samples: np.ndarray) -> np.ndarray:
    """The samples (N, 1, S) themselves, for a network that has its own front end."""
    return samples[:, None]
