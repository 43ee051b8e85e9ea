"""SlowFast 8x8 with ResNet-50: one path with few frames, one with all frames and few channels.

Feichtenhofer et al., ICCV 2019. The names and shapes of the parameters are those of pytorchvideo's
published weights.
"""

from collections import OrderedDict

import torch
from torch import Tensor, nn
from torch.nn import functional

ALPHA = 4
"""Frames of the fast path for each frame of the slow one."""

BETA_INVERSE = 8
"""Channels of the slow path for each channel of the fast one."""

FUSION = 2
"""Channels that the fast path adds to the slow one, relative to its own."""

FUSION_FRAMES = 7
"""Frames that the convolution from the fast to the slow path covers."""

BLOCKS = (3, 4, 6, 3)
INNER = (64, 128, 256, 512)
"""Number of blocks, and channels within a block of the slow path, of each stage."""

TEMPORAL = ((1, 1, 3, 3), (3, 3, 3, 3))
"""Frames that the first convolution of a block covers, slow and fast, by stage."""

EXPANSION = 4
LAST_POOL = 7
"""Side of the mean before the classifier; larger maps give the mean over all its positions."""


class SlowFast(nn.Module):
    """Logits (B, C) of clips (B, 3, T, H, W) of the fast path; the authors have T = 32.

    T is a multiple of ALPHA. The slow path takes T / ALPHA of the frames, evenly from the first to
    the last. `stages` are the parts that fine-tuning may freeze, in the order of the data.
    """

    def __init__(self, classes: int, dropout: float = 0.5) -> None:
        super().__init__()
        stem = _Paths([_stem(64, 1), _stem(64 // BETA_INVERSE, 5)], 64 // BETA_INVERSE)
        blocks: list[nn.Module] = [stem]
        slow = 64
        for number, (count, inner) in enumerate(zip(BLOCKS, INNER, strict=True)):
            joined = slow + FUSION * slow // BETA_INVERSE
            outputs = inner * EXPANSION
            paths = [
                _stage(joined, inner, outputs, count, TEMPORAL[0][number], number),
                _stage(slow // BETA_INVERSE, inner // BETA_INVERSE, outputs // BETA_INVERSE, count,
                       TEMPORAL[1][number], number),
            ]  # fmt: skip
            last = number == len(BLOCKS) - 1
            blocks.append(_Paths(paths, None if last else outputs // BETA_INVERSE))
            slow = outputs
        self.dropout = nn.Dropout(dropout)
        head = nn.ModuleDict({"proj": nn.Linear(slow + slow // BETA_INVERSE, classes)})
        # Number 5 of the published layout is a pool without parameters.
        self.blocks = nn.ModuleDict({str(number): block for number, block in enumerate(blocks)})
        self.blocks["6"] = head
        for module in self.modules():
            if isinstance(module, nn.Conv3d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        nn.init.normal_(head["proj"].weight, std=0.01)
        nn.init.zeros_(head["proj"].bias)

    @property
    def stages(self) -> list[list[nn.Module]]:
        """The stem and the four stages of blocks, both paths each."""
        return [[self.blocks[str(number)]] for number in range(5)]

    def forward(self, clips: Tensor) -> Tensor:
        """Logits of the clips."""
        frames = clips.shape[2]
        chosen = torch.linspace(0, frames - 1, frames // ALPHA).long()
        paths = [clips[:, :, chosen.to(clips.device)], clips]
        for stage in self.stages:
            paths = stage[0](paths)
        pooled = torch.cat([_mean(maps) for maps in paths], dim=1)
        return self.blocks["6"]["proj"](self.dropout(pooled))


class _Paths(nn.Module):
    """A stage of both paths. Then the fast maps are joined to the slow ones, except at the end."""

    def __init__(self, paths: list[nn.Module], fast: int | None) -> None:
        super().__init__()
        self.multipathway_blocks = nn.ModuleList(paths)
        self.multipathway_fusion = None if fast is None else _Fusion(fast)

    def forward(self, paths: list[Tensor]) -> list[Tensor]:
        pairs = zip(self.multipathway_blocks, paths, strict=True)
        slow, fast = (block(maps) for block, maps in pairs)
        if self.multipathway_fusion is not None:
            slow = torch.cat([slow, self.multipathway_fusion(fast)], dim=1)
        return [slow, fast]


class _Fusion(nn.Module):
    """Converts fast maps (B, C, T, H, W) to (B, FUSION * C, T / ALPHA, H, W)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv_fast_to_slow = nn.Conv3d(
            channels, FUSION * channels, (FUSION_FRAMES, 1, 1), (ALPHA, 1, 1),
            (FUSION_FRAMES // 2, 0, 0), bias=False,
        )  # fmt: skip
        self.norm = nn.BatchNorm3d(FUSION * channels)

    def forward(self, maps: Tensor) -> Tensor:
        return functional.relu(self.norm(self.conv_fast_to_slow(maps)), inplace=True)


def _stem(channels: int, frames: int) -> nn.Sequential:
    kernel, padding = (frames, 7, 7), (frames // 2, 3, 3)
    layers = {
        "conv": nn.Conv3d(3, channels, kernel, (1, 2, 2), padding, bias=False),
        "norm": nn.BatchNorm3d(channels),
        "activation": nn.ReLU(inplace=True),
        "pool": nn.MaxPool3d((1, 3, 3), (1, 2, 2), (0, 1, 1)),
    }
    return nn.Sequential(OrderedDict(layers))


def _stage(
    channels: int, inner: int, outputs: int, count: int, frames: int, number: int
) -> nn.ModuleDict:
    """The blocks of one path; all but the first stage halve the sides of the maps."""
    stride = 1 if number == 0 else 2
    blocks = [_Block(channels, inner, outputs, frames, stride)]
    blocks += [_Block(outputs, inner, outputs, frames) for _ in range(count - 1)]
    return nn.Sequential(OrderedDict({"res_blocks": nn.Sequential(*blocks)}))


class _Block(nn.Module):
    """A bottleneck with a shortcut, which the first block of a stage projects."""

    def __init__(
        self, channels: int, inner: int, outputs: int, frames: int, stride: int = 1
    ) -> None:
        super().__init__()
        if channels != outputs or stride != 1:
            steps = (1, stride, stride)
            self.branch1_conv = nn.Conv3d(channels, outputs, 1, steps, bias=False)
            self.branch1_norm = nn.BatchNorm3d(outputs)
        else:
            self.branch1_conv = None
        self.branch2 = nn.Sequential(OrderedDict(_bottleneck(
            channels, inner, outputs, frames, stride
        )))  # fmt: skip

    def forward(self, maps: Tensor) -> Tensor:
        shortcut = self.branch1_norm(self.branch1_conv(maps)) if self.branch1_conv else maps
        return functional.relu(shortcut + self.branch2(maps), inplace=True)


def _bottleneck(
    channels: int, inner: int, outputs: int, frames: int, stride: int
) -> dict[str, nn.Module]:
    """The layers of a block by their published names."""
    temporal = (frames, 1, 1), 1, (frames // 2, 0, 0)
    spatial = (1, 3, 3), (1, stride, stride), (0, 1, 1)
    return {
        "conv_a": nn.Conv3d(channels, inner, *temporal, bias=False),
        "norm_a": nn.BatchNorm3d(inner),
        "act_a": nn.ReLU(inplace=True),
        "conv_b": nn.Conv3d(inner, inner, *spatial, bias=False),
        "norm_b": nn.BatchNorm3d(inner),
        "act_b": nn.ReLU(inplace=True),
        "conv_c": nn.Conv3d(inner, outputs, 1, bias=False),
        "norm_c": nn.BatchNorm3d(outputs),
    }


def _mean(maps: Tensor) -> Tensor:
    """(B, C) mean over all times and over all positions of a window of LAST_POOL."""
    sides = [min(LAST_POOL, side) for side in maps.shape[3:]]
    return functional.avg_pool3d(maps, (maps.shape[2], *sides), stride=1).mean(dim=(2, 3, 4))
