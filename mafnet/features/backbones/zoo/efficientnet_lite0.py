"""EfficientNet-Lite0 up to the last ReLU6, before its mean over places: cheap visual features.

Tan and Le 2019 (arXiv 1905.11946), without squeeze-and-excitation and with ReLU6; trained on
ImageNet.
"""

import torch
from torch import nn
from torch.nn import functional

from mafnet.features.backbones.network import FrozenNetwork
from mafnet.features.backbones.same_conv import SameConv

STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
"""Blocks, size of the kernels, stride of the first block, expansion, channels out."""


class Block(nn.Module):
    """An inverted residual block: expansion, depthwise convolution, projection."""

    def __init__(self, inputs: int, outputs: int, size: int, stride: int, expansion: int) -> None:
        super().__init__()
        middle = inputs * expansion
        if expansion > 1:
            self._expand_conv, self._bn0 = SameConv(inputs, middle, 1), batch_norm(middle)
        self._depthwise_conv = SameConv(middle, middle, size, stride, groups=middle)
        self._bn1 = batch_norm(middle)
        self._project_conv, self._bn2 = SameConv(middle, outputs, 1), batch_norm(outputs)
        self.residual = stride == 1 and inputs == outputs

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        inner = maps
        if hasattr(self, "_bn0"):
            inner = functional.relu6(self._bn0(self._expand_conv(inner)))
        inner = functional.relu6(self._bn1(self._depthwise_conv(inner)))
        inner = self._bn2(self._project_conv(inner))
        return inner + maps if self.residual else inner


class Layers(nn.Module):
    """Frames (M, 3, H, W) to maps (M, 1280, H/32, W/32); the names are those of the weights."""

    def __init__(self) -> None:
        super().__init__()
        self._conv_stem, self._bn0 = SameConv(3, 32, 3, 2), batch_norm(32)
        blocks, inputs = [], 32
        for count, size, stride, expansion, outputs in STAGES:
            for number in range(count):
                blocks.append(Block(inputs, outputs, size, 1 if number else stride, expansion))
                inputs = outputs
        self._blocks = nn.Sequential(*blocks)
        self._conv_head, self._bn1 = SameConv(inputs, 1280, 1), batch_norm(1280)

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        maps = self._blocks(functional.relu6(self._bn0(self._conv_stem(frames))))
        return functional.relu6(self._bn1(self._conv_head(maps)))


class EfficientNetLite0(FrozenNetwork):
    """The network without its classifier."""

    def layers(self) -> nn.Module:
        return Layers()

    def own_weights(self, state: dict) -> dict:
        """All but the classifier."""
        return {key: value for key, value in state.items() if not key.startswith("_fc.")}


def batch_norm(channels: int) -> nn.BatchNorm2d:
    """BN with TensorFlow's constant."""
    return nn.BatchNorm2d(channels, eps=1e-3)
