"""TensorFlow's convolutions, whose output has the input's size divided by the stride."""

import torch
from torch import nn
from torch.nn import functional


class SameConv(nn.Conv2d):
    """A convolution without bias, padded as `SAME` in TensorFlow: with a stride of 2 and an even
    size, one row and one column more at the end than at the start."""

    def __init__(
        self, inputs: int, outputs: int, size: int, stride: int = 1, groups: int = 1
    ) -> None:
        padding = size // 2 if stride == 1 else 0
        super().__init__(inputs, outputs, size, stride, padding, groups=groups, bias=False)

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        if self.stride[0] > 1:
            rows, columns = (self._pads(size) for size in maps.shape[-2:])
            maps = functional.pad(maps, (*columns, *rows))
        return super().forward(maps)

    def _pads(self, size: int) -> tuple[int, int]:
        """Zeros before and after `size` values."""
        kernel, stride = self.kernel_size[0], self.stride[0]
        total = max(0, (-(-size // stride) - 1) * stride + kernel - size)
        return total // 2, total - total // 2
