"""VGGish by OpenVINO: the same function of the same weights as vggish.py, on CPUs."""

from collections.abc import Mapping

import numpy as np

from mafnet.features.backbones import backbone_spec
from mafnet.features.backbones.logmel import log_mel
from mafnet.features.backbones.openvino_runtime import (
    ClipByClip,
    Weights,
    convolution,
    max_pool,
    openvino,
    operations,
    rounded,
    shifted_relu,
)
from mafnet.features.backbones.vggish_layers import CHANNELS, POOLED


class VGGishOpenVINO(ClipByClip):
    """The registry's `vggish` by OpenVINO: int16 clips (N, S) to float16 maps (N, 12, 8, 512).

    One clip at a time, which is as fast as eight (measured).
    """

    def __init__(self, weights: Mapping[str, np.ndarray], precision: str, threads: int) -> None:
        super().__init__(graph, Weights(weights, "vggish"), precision, threads)

    def __call__(self, clips: np.ndarray) -> np.ndarray:
        """Maps (N, 12, 8, 512) float16, post-ReLU, of clips (N, S) int16."""
        if clips.ndim != 2 or clips.dtype != np.int16:
            raise ValueError(f"sound is int16 (N, S), not {clips.dtype} {clips.shape}")
        if len(clips) == 0:
            return np.zeros((0, *backbone_spec("vggish").feature_shape), np.float16)
        patches = [log_mel(clip[None].astype(np.float32) / 32768.0) for clip in clips]
        return rounded(np.concatenate([self._network(patch) for patch in patches]))


def graph(weights: Weights, shape: tuple[int, ...]) -> object:
    """The network for log-mel patches (N, 96, 64) float32; its output is (N, 12, 8, 512)."""
    op = operations()
    patches = op.parameter(shape, np.float32)
    maps = op.unsqueeze(patches, op.constant([1]))  # (N, 1, 96, 64)
    for name, (inputs, outputs) in CHANNELS.items():
        kernel = weights(f"{name}.weight", outputs, inputs, 3, 3)
        maps = shifted_relu(convolution(maps, kernel), weights(f"{name}.bias", outputs))
        if name in POOLED:
            maps = max_pool(maps, 2)
    return openvino().Model([op.transpose(maps, op.constant([0, 2, 3, 1]))], [patches], "vggish")
