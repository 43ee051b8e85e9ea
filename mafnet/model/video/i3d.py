"""I3D: Inception-v1 with its filters inflated in time.

Carreira and Zisserman, CVPR 2017. The names and shapes of the parameters are those of the published
PyTorch conversion of the authors' weights. Convolutions and pools pad as TensorFlow's SAME does,
which is not symmetric.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

MIXED = {
    "3b": (64, 96, 128, 16, 32, 32),
    "3c": (128, 128, 192, 32, 96, 64),
    "4b": (192, 96, 208, 16, 48, 64),
    "4c": (160, 112, 224, 24, 64, 64),
    "4d": (128, 128, 256, 24, 64, 64),
    "4e": (112, 144, 288, 32, 64, 64),
    "4f": (256, 160, 320, 32, 128, 128),
    "5b": (256, 160, 320, 32, 128, 128),
    "5c": (384, 192, 384, 48, 128, 128),
}
"""Channels of the Inception modules: 1x1, 3x3 reduced, 3x3, second 3x3 reduced, its 3x3, pooled."""

POOLS = {"4b": ((3, 3, 3), (2, 2, 2)), "5b": ((2, 2, 2), (2, 2, 2))}
"""Kernel and stride of the pool before a module."""

SPATIAL_POOL = ((1, 3, 3), (1, 2, 2))
"""Kernel and stride of the pools before the modules, which leave the time as it is."""

LAST_POOL = (2, 7, 7)
"""Kernel of the mean before the classifier."""


class I3D(nn.Module):
    """Logits (B, C), mean over time, of clips (B, 3, T, H, W); the authors have H = W = 224.

    T is 64 in training and all frames of a video at test; at least 8. `stages` are the parts that
    fine-tuning may freeze, in the order of the data.
    """

    def __init__(self, classes: int, dropout: float = 0.5) -> None:
        super().__init__()
        self.Conv3d_1a_7x7 = _Unit(3, 64, 7, stride=2)
        self.Conv3d_2b_1x1 = _Unit(64, 64, 1)
        self.Conv3d_2c_3x3 = _Unit(64, 192, 3)
        channels = 192
        for name, widths in MIXED.items():
            self.add_module(f"Mixed_{name}", _Inception(channels, widths))
            channels = widths[0] + widths[2] + widths[4] + widths[5]
        self.dropout = nn.Dropout(dropout)
        self.logits = nn.ModuleDict({"conv3d": nn.Conv3d(channels, classes, 1)})

    @property
    def stages(self) -> list[list[nn.Module]]:
        """Layers of the same resolution: two of convolutions, three of Inception modules."""
        mixed = [[getattr(self, f"Mixed_{name}") for name in MIXED if name[0] == n] for n in "345"]
        return [[self.Conv3d_1a_7x7], [self.Conv3d_2b_1x1, self.Conv3d_2c_3x3], *mixed]

    def forward(self, clips: Tensor) -> Tensor:
        """Logits of the clips."""
        maps = _pooled(self.Conv3d_1a_7x7(clips), *SPATIAL_POOL)
        maps = _pooled(self.Conv3d_2c_3x3(self.Conv3d_2b_1x1(maps)), *SPATIAL_POOL)
        for name in MIXED:
            if name in POOLS:
                maps = _pooled(maps, *POOLS[name])
            maps = getattr(self, f"Mixed_{name}")(maps)
        kernel = [min(sides) for sides in zip(LAST_POOL, maps.shape[2:], strict=True)]
        pooled = functional.avg_pool3d(maps, kernel, stride=1)
        return self.logits["conv3d"](self.dropout(pooled)).mean(dim=(2, 3, 4))


class _Unit(nn.Module):
    """Convolution with SAME padding, batch normalisation, ReLU."""

    def __init__(self, channels: int, outputs: int, kernel: int, stride: int = 1) -> None:
        super().__init__()
        self.conv3d = nn.Conv3d(channels, outputs, kernel, stride, bias=False)
        self.bn = nn.BatchNorm3d(outputs, eps=0.001, momentum=0.01)

    def forward(self, maps: Tensor) -> Tensor:
        padded = _same(maps, self.conv3d.kernel_size, self.conv3d.stride)
        return functional.relu(self.bn(self.conv3d(padded)), inplace=True)


class _Inception(nn.Module):
    """Four branches whose channels are joined."""

    def __init__(self, channels: int, widths: tuple[int, ...]) -> None:
        super().__init__()
        self.b0 = _Unit(channels, widths[0], 1)
        self.b1a = _Unit(channels, widths[1], 1)
        self.b1b = _Unit(widths[1], widths[2], 3)
        self.b2a = _Unit(channels, widths[3], 1)
        self.b2b = _Unit(widths[3], widths[4], 3)
        self.b3b = _Unit(channels, widths[5], 1)

    def forward(self, maps: Tensor) -> Tensor:
        pooled = _pooled(maps, (3, 3, 3), (1, 1, 1))
        branches = (self.b0(maps), self.b1b(self.b1a(maps)), self.b2b(self.b2a(maps)))
        return torch.cat([*branches, self.b3b(pooled)], dim=1)


def _pooled(maps: Tensor, kernel: tuple[int, ...], stride: tuple[int, ...]) -> Tensor:
    # The maps are outputs of ReLU, so padding with zeros is padding with the least value.
    return functional.max_pool3d(_same(maps, kernel, stride), kernel, stride)


def _same(maps: Tensor, kernel: tuple[int, ...], stride: tuple[int, ...]) -> Tensor:
    """The maps padded so that each side becomes its length over the stride, rounded up."""
    pads: list[int] = []
    for length, size, step in zip(maps.shape[2:], kernel, stride, strict=True):
        total = max((-(-length // step) - 1) * step + size - length, 0)
        pads = [total // 2, total - total // 2, *pads]  # torch pads the last axis first
    return functional.pad(maps, pads) if any(pads) else maps
