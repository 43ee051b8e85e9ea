"""Sums over the spatial positions of maps (PQ, N, H), in few passes over the memory.

    PQ  positions of a map     N  maps     H  channels

Plain torch with autograd would read and write the maps three times as often, in float32. Sums are
in float32 at least, whatever type the maps have.
"""

import torch
from torch import Tensor
from torch.autograd.function import FunctionCtx

CHUNK = 2**18
"""Elements of a group: 1 MB in float32, which stays in a core's cache."""


def moments(maps: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The maps, and each channel's mean (H,) and biased variance (H,).

    Use the returned maps instead of the given ones, because the gradient passes through them. With
    one value a channel the variance is 0.
    """
    return _Moments.apply(maps)


def mean(maps: Tensor) -> Tensor:
    """The mean over the positions (N, H)."""
    return _Mean.apply(maps)


def modulated_mean(maps: Tensor, gain: Tensor, shift: Tensor) -> Tensor:
    """The mean over the positions (N, H) of relu(gain * maps + shift); gain, shift: (N, H)."""
    return _ModulatedMean.apply(maps, gain, shift)


def _chunks(maps: Tensor) -> tuple[Tensor, ...]:
    """The maps in groups of positions."""
    return maps.split(max(1, CHUNK // maps[0].numel()))


def _long(maps: Tensor) -> Tensor:
    return maps.to(torch.promote_types(maps.dtype, torch.float32))


class _Mean(torch.autograd.Function):
    @staticmethod
    def forward(ctx: FunctionCtx, maps: Tensor) -> Tensor:
        ctx.maps = maps.shape, maps.dtype
        return maps.mean(0, dtype=torch.promote_types(maps.dtype, torch.float32))

    @staticmethod
    def backward(ctx: FunctionCtx, gradient: Tensor) -> Tensor:
        shape, dtype = ctx.maps
        return (gradient / shape[0]).to(dtype).expand(shape)


class _Moments(torch.autograd.Function):
    @staticmethod
    def forward(ctx: FunctionCtx, maps: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        origin = _long(maps[0]).mean(0)  # near the mean, so that the squares do not cancel
        total, squares = torch.zeros_like(origin), torch.zeros_like(origin)
        for chunk in _chunks(maps):
            distance = (_long(chunk) - origin).flatten(0, 1)  #   (positions * N, H)
            total += distance.sum(0)
            squares += distance.square_().sum(0)
        count = maps.shape[0] * maps.shape[1]
        mean, variance = origin + total / count, squares / count - (total / count) ** 2
        ctx.save_for_backward(maps, mean)
        return maps.view_as(maps), mean, variance

    @staticmethod
    def backward(ctx: FunctionCtx, of_maps: Tensor, of_mean: Tensor, of_variance: Tensor) -> Tensor:
        maps, mean = ctx.saved_tensors
        count = maps.shape[0] * maps.shape[1]
        slope = 2 * of_variance / count
        offset = of_mean / count - slope * mean
        gradient = torch.empty_like(maps)
        parts = zip(_chunks(maps), _chunks(of_maps), _chunks(gradient), strict=True)
        for chunk, of_chunk, result in parts:
            torch.add(torch.addcmul(offset, slope, _long(chunk)), of_chunk, out=result)
        return gradient


class _ModulatedMean(torch.autograd.Function):
    @staticmethod
    def forward(ctx: FunctionCtx, maps: Tensor, gain: Tensor, shift: Tensor) -> Tensor:
        passed, total = torch.zeros_like(gain), torch.zeros_like(gain)
        for chunk in _chunks(maps):
            values = _long(chunk)
            open_ = (torch.addcmul(shift, gain, values) > 0).to(values.dtype)
            passed += open_.sum(0)
            total += open_.mul_(values).sum(0)
        ctx.save_for_backward(maps, gain, shift, passed, total)
        return (gain * total + shift * passed) / len(maps)

    @staticmethod
    def backward(ctx: FunctionCtx, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        maps, gain, shift, passed, total = ctx.saved_tensors
        share = gradient / len(maps)
        of_maps, of_value = torch.empty_like(maps), (share * gain).to(maps.dtype)
        for chunk, result in zip(_chunks(maps), _chunks(of_maps), strict=True):
            torch.mul(torch.addcmul(shift, gain, _long(chunk)) > 0, of_value, out=result)
        return of_maps, share * total, share * passed
