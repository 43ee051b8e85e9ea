"""The residual block in bfloat16 on a CPU: the same sums as in `blocks`, in fewer operations.

Convolutions multiply bfloat16 numbers. Statistics, FiLM and the means over positions are float32.
Maps are (PQ, N, channels), positions first, as `winograd` and `spatial` need them. Symbols as in
`blocks`. A GPU does not need this, because its own convolutions are as fast.

The networks do not know of it: `install` swaps it in.
"""

from functools import partial

import torch
from torch import Tensor, nn

from mafnet.model.networks.blocks import BatchNorm, Film, ResidualBlock
from mafnet.model.networks.spatial import mean, modulated_mean, moments
from mafnet.model.networks.winograd import conv3x3

DTYPE = torch.bfloat16
"""Type of the maps and of the weights that they are multiplied by."""


def install(network: nn.Module) -> None:
    """Let the residual blocks of a network compute this way where it is wanted."""
    for block in network.modules():
        if isinstance(block, ResidualBlock):
            block.forward = partial(_forward, block)


def _forward(block: ResidualBlock, maps: Tensor, condition: Tensor | None = None) -> Tensor:
    if wanted(maps):
        return residual_block(block, maps, condition)
    return ResidualBlock.forward(block, maps, condition)


def wanted(maps: Tensor) -> bool:
    """True under a CPU's autocast to bfloat16."""
    if maps.device.type != "cpu" or not torch.is_autocast_enabled("cpu"):
        return False
    return torch.get_autocast_dtype("cpu") == DTYPE


def residual_block(block: ResidualBlock, maps: Tensor, condition: Tensor | None) -> Tensor:
    """The block's vectors (B, T, H), float32, of maps (B, T, P, Q, D) of any dtype."""
    with torch.autocast("cpu", enabled=False):
        r = _conv1x1(block.conv1x1, _positions_first(maps))  #                  (PQ, N, H)
        y = conv3x3(r, block.conv3x3.weight, maps.shape[2:4])  #                (PQ, N, H)
        y, scale, shift = _normalisation(block.norm, y, block.conv3x3.bias)  #  (H,) both
        if block.film is not None:
            vectors = condition.flatten(0, 1).to(scale.dtype)
            scale, shift = _modulated(block.film, scale, shift, vectors)
        scale, shift = (each.expand(y.shape[1:]) for each in (scale, shift))  # (N, H)
        vectors = modulated_mean(y, scale, shift) + mean(r)
    return vectors.unflatten(0, maps.shape[:2])


def _positions_first(maps: Tensor) -> Tensor:
    """(PQ, N, D) of maps (B, T, P, Q, D)."""
    flat = maps.flatten(0, 1).flatten(1, 2).transpose(0, 1)
    return flat.to(DTYPE, memory_format=torch.contiguous_format)


def _conv1x1(conv: nn.Conv2d, maps: Tensor) -> Tensor:
    """ReLU of the convolution with its bias: (PQ, N, H) of (PQ, N, D)."""
    weight, bias = conv.weight.flatten(1).to(maps.dtype), conv.bias.to(maps.dtype)
    return torch.addmm(bias, maps.flatten(0, 1), weight.T).relu_().view(*maps.shape[:2], -1)


def _modulated(
    film: Film, scale: Tensor, shift: Tensor, condition: Tensor
) -> tuple[Tensor, Tensor]:
    """The scale and shift (N, H) that combine FiLM with a scale and shift (H,) before it."""
    gamma, beta = film.generator(condition).chunk(2, dim=1)
    return (1 + gamma) * scale, (1 + gamma) * shift + beta


def _to_affine(norm: BatchNorm, average: Tensor, variance: Tensor) -> tuple[Tensor, Tensor]:
    """The scale and shift (H,) that normalise by these statistics."""
    scale = norm.weight * (variance + norm.eps).rsqrt()
    return scale, norm.bias - scale * average


def _normalisation(norm: BatchNorm, maps: Tensor, bias: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The maps, and the scale and shift (H,) that add a convolution's bias and normalise."""
    if not norm.training:
        scale, shift = _to_affine(norm, norm.running_mean, norm.running_var)
        return maps, scale, shift + scale * bias
    maps, average, variance = moments(maps)
    norm.update(average + bias, variance)
    scale, shift = _to_affine(norm, average + bias, variance)
    return maps, scale, shift + scale * bias
