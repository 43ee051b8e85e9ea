"""DenseNet-201 by OpenVINO: the same function of the same weights as densenet.py, on CPUs.

F frames of H x W pixels in, the mean of their maps out. Huang et al. 2017 (arXiv 1608.06993).
"""

import math
from collections.abc import Mapping

import numpy as np

from mafnet.features.backbones import backbone_spec
from mafnet.features.backbones.densenet_layers import (
    BLOCKS,
    BOTTLENECK,
    FIRST_CHANNELS,
    GROWTH,
    IMAGENET_DEVIATION,
    IMAGENET_MEAN,
)
from mafnet.features.backbones.openvino_runtime import (
    ClipByClip,
    Weights,
    by_channel,
    convolution,
    max_pool,
    openvino,
    operations,
    rounded,
    scaled_relu,
    shifted_relu,
)

FRAMES_AT_A_TIME = 4
"""At most so many frames of a clip go through together: 4 % faster than all 16 at float32, 11 % at
bfloat16, with a third less memory (measured); their maps still fit into the caches."""


class DenseNet201OpenVINO(ClipByClip):
    """The registry's `densenet201` by OpenVINO: uint8 RGB (N, F, 224, 224, 3) to (N, 7, 7, 1920).

    One clip at a time, so that a clip's features cannot depend on its neighbours.
    """

    def __init__(self, weights: Mapping[str, np.ndarray], precision: str, threads: int) -> None:
        super().__init__(graph, Weights(weights, "densenet201"), precision, threads)

    def __call__(self, clips: np.ndarray) -> np.ndarray:
        """Maps (N, H/32, W/32, 1920) float16, post-ReLU, mean over the F frames."""
        if clips.ndim != 5 or clips.shape[-1] != 3 or clips.dtype != np.uint8:
            raise ValueError(f"frames are uint8 (N, F, H, W, 3), not {clips.dtype} {clips.shape}")
        if len(clips) == 0:
            return np.zeros((0, *backbone_spec("densenet201").feature_shape), np.float16)
        return np.stack([self._clip(clip) for clip in clips])

    def _clip(self, clip: np.ndarray) -> np.ndarray:
        few = math.gcd(len(clip), FRAMES_AT_A_TIME)  # the same number every time
        parts = clip.reshape(-1, few, *clip.shape[1:])
        return rounded(np.mean([self._network(part) for part in parts], axis=0))


def graph(weights: Weights, shape: tuple[int, ...]) -> object:
    """The network for frames (F, H, W, 3) uint8; its output is (H/32, W/32, 1920) float32."""
    op = operations()
    frames = op.parameter(shape, np.uint8)
    maps = _stem(weights, frames)  # (F, 64, H/4, W/4)
    channels = FIRST_CHANNELS
    for number, layers in enumerate(BLOCKS, start=1):
        if number > 1:
            maps, channels = _transition(weights, f"transition{number - 1}", maps, channels)
        for layer in range(1, layers + 1):
            maps = _dense_layer(weights, f"denseblock{number}.denselayer{layer}", maps, channels)
            channels += GROWTH
    maps = scaled_relu(maps, *weights.affine("norm5", channels))  # (F, 1920, H/32, W/32)
    mean = op.reduce_mean(maps, op.constant([0]), keep_dims=False)
    return openvino().Model([op.transpose(mean, op.constant([1, 2, 0]))], [frames], "densenet201")


def _stem(weights: Weights, frames: object) -> object:
    """Normalised pixels, the first convolution and the first pooling.

    The division by the deviation is the kernel's; the mean is not, as the zeros around a picture
    stand for pixels of mean colour.
    """
    op = operations()
    pixels = op.transpose(op.convert(frames, "f32"), op.constant([0, 3, 1, 2]))
    centred = op.subtract(pixels, by_channel(255 * np.array(IMAGENET_MEAN)))
    scale, shift = weights.affine("norm0", FIRST_CHANNELS)
    kernel = weights("conv0.weight", FIRST_CHANNELS, 3, 7, 7) * scale[:, None, None, None]
    kernel = kernel / (255 * np.array(IMAGENET_DEVIATION)[:, None, None])
    return max_pool(shifted_relu(convolution(centred, kernel, stride=2), shift), 3, margin=1)


def _dense_layer(weights: Weights, name: str, maps: object, channels: int) -> object:
    """The maps with GROWTH channels more; the second normalisation is the first kernel's."""
    op = operations()
    inner = scaled_relu(maps, *weights.affine(f"{name}.norm1", channels))
    scale, shift = weights.affine(f"{name}.norm2", BOTTLENECK)
    narrow = weights(f"{name}.conv1.weight", BOTTLENECK, channels, 1, 1)
    inner = shifted_relu(convolution(inner, narrow * scale[:, None, None, None]), shift)
    grown = convolution(inner, weights(f"{name}.conv2.weight", GROWTH, BOTTLENECK, 3, 3))
    return op.concat([maps, grown], axis=1)


def _transition(weights: Weights, name: str, maps: object, channels: int) -> tuple[object, int]:
    """Half the channels, half the size."""
    op = operations()
    maps = scaled_relu(maps, *weights.affine(f"{name}.norm", channels))
    maps = convolution(maps, weights(f"{name}.conv.weight", channels // 2, channels, 1, 1))
    pooled = op.avg_pool(maps, [2, 2], [0, 0], [0, 0], [2, 2], exclude_pad=True)
    return pooled, channels // 2
