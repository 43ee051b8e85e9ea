"""The largest differences of the outputs of ONNX Runtime from torch's, on random inputs.

Sounds and frames are noise, and features are random. The last clip is padding. B videos of T clips,
K modalities.
"""

from collections.abc import Mapping

import numpy as np
import onnx
import torch
from torch import Tensor

from mafnet.common.cores import usable_cores
from mafnet.features.backbones import backbone_spec
from mafnet.features.backbones.spec import BackboneSpec, VisualBackbone
from mafnet.model.data import INPUTS
from mafnet.model.export.graphs import OUTPUTS, SOURCES, ClipFeatures, Head
from mafnet.model.export.runtime import Session
from mafnet.model.settings import RunSettings

BATCHES = (1, 3)
"""Numbers of videos. The graph was made with another number."""

SEED = 0


def specs_of(settings: RunSettings) -> dict[str, BackboneSpec]:
    """The backbones of a run by modality, visual before audio."""
    features = settings.features
    return {name: backbone_spec(features[name]["backbone"]) for name in SOURCES if name in features}


def head_differences(model: onnx.ModelProto, head: Head, settings: RunSettings) -> dict[str, float]:
    """The largest difference of each output of a head."""
    session = Session(model.SerializeToString(), "the exported head", usable_cores())
    found = []
    for videos in BATCHES:
        features = random_features(settings, videos)
        with torch.inference_mode():
            expected = head(*features.values())
        found.append(_largest(session(_arrays(features)), expected))
    return {name: max(each[name] for each in found) for name in OUTPUTS}


def whole_differences(
    model: onnx.ModelProto, head: Head, frozen: Mapping[str, ClipFeatures], settings: RunSettings
) -> dict[str, float]:
    """The largest difference of each output of a whole, on one video."""
    session = Session(model.SerializeToString(), "the exported file", usable_cores())
    clips = {
        name: random_clips(settings, spec, settings.clips)
        for name, spec in specs_of(settings).items()
    }
    valid = _valid(1, settings)
    with torch.inference_mode():
        stored = {name: _stored(frozen[name], each) for name, each in clips.items()}
        inputs = {}
        for k, name in enumerate(settings.inputs):
            modality, layer = INPUTS[name]
            values = stored[modality]
            values = values.mean((1, 2)).half().float() if layer == "pooled" else values
            values[~valid[0, :, k]] = 0
            inputs[name] = values[None]
        expected = head(*inputs.values(), valid)
    own = {SOURCES[name]: each for name, each in clips.items()} | {"valid": valid.numpy()}
    return _largest(session(own), expected)


def random_features(settings: RunSettings, videos: int) -> dict[str, Tensor]:
    """Inputs of a head by name, and `valid` (B, T, K)."""
    generator = torch.Generator().manual_seed(SEED + videos)
    specs, found = specs_of(settings), {}
    for name in settings.inputs:
        modality, layer = INPUTS[name]
        shape = specs[modality].feature_shape
        size = (videos, settings.clips, *(shape if layer == "maps" else shape[-1:]))
        found[name] = torch.rand(size, generator=generator)
    valid = _valid(videos, settings)
    for k, name in enumerate(settings.inputs):
        found[name][~valid[..., k]] = 0
    return found | {"valid": valid}


def random_clips(settings: RunSettings, spec: BackboneSpec, count: int) -> np.ndarray:
    """The input (N, I, ...) of a backbone for N clips of noise."""
    generator = np.random.default_rng(SEED)
    if isinstance(spec, VisualBackbone):
        frames = settings.features["visual"]["grid"]["frames_per_clip"]
        shape = (count, frames, spec.side, spec.side, 3)
        return spec.inputs(generator.integers(0, 256, shape, np.uint8))
    samples = round(spec.sample_rate * spec.window_seconds)
    return spec.inputs(generator.integers(-8000, 8000, (count, samples), np.int16))


def _valid(videos: int, settings: RunSettings) -> Tensor:
    """(B, T, K) bool: the last clip of each video is padding, if there are several."""
    valid = torch.ones(videos, settings.clips, len(settings.modalities), dtype=torch.bool)
    valid[:, 1:][:, -1:] = False
    return valid


def _stored(network: ClipFeatures, clips: np.ndarray) -> Tensor:
    """The features (N, P, Q, D) of clips, one clip at a time, rounded as they are stored."""
    each = [network(torch.from_numpy(clip[None])) for clip in clips]
    return torch.cat(each).half().float()


def _arrays(tensors: Mapping[str, Tensor]) -> dict[str, np.ndarray]:
    return {name: each.numpy() for name, each in tensors.items()}


def _largest(found: list[np.ndarray], expected: tuple[Tensor, ...]) -> dict[str, float]:
    """The largest difference of each output; NaN if one is not finite."""
    pairs = zip(OUTPUTS, found, expected, strict=True)
    return {name: float(np.abs(own - other.numpy()).max()) for name, own, other in pairs}
