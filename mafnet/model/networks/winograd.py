"""The 3x3 convolution in a quarter of the multiplications (Winograd; arXiv 1509.09308, section 4).

    P x Q  positions of a map, here always one axis PQ  C, H  channels before and after
    N      maps                                         F     36, see below
    R      tiles side by side in a band, which is four rows of positions

A plain convolution needs 144 products of an input and a kernel value for a tile of 4 x 4 positions.
Here it needs 36. The tile and the positions around it are spread to 36 sums. Each sum is multiplied
by its own matrix (C, H). The products are gathered to the 16 positions. Positions are the first
axis, so that one matrix product spreads (or gathers) a band of all maps and channels. The matrices
include the border of the map, and bfloat16 holds their values exactly. So bfloat16 rounds as often
as in a plain convolution, but it rounds larger numbers: the error is about four times as large.
"""

from functools import cache
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.autograd.function import FunctionCtx

TILE, KERNEL = 4, 3
POINTS = (0, 1, -1, 1 / 2, -2)
"""Points of the polynomials, in addition to infinity. Other usual choices round more."""


def conv3x3(maps: Tensor, weight: Tensor, size: tuple[int, int]) -> Tensor:
    """The convolution (PQ, N, H) of maps (PQ, N, C), zeros around them, with weight (H, C, 3, 3).

    size: P and Q. The result has the dtype of the maps; the weights' gradient has that of the
    weights.
    """
    return _Winograd.apply(maps.contiguous(), weight, plan(size, maps.dtype, weight.dtype))


class Tile(NamedTuple):
    """Four neighbouring positions along an axis, fewer at its end.

    read, write: the positions with and without their neighbours.
    spread, gather: (6, positions read) and (positions written, 6).
    """

    read: slice
    write: slice
    spread: np.ndarray
    gather: np.ndarray


class Band(NamedTuple):
    """A row of tiles, along both axes: spread (F * R, read), gather (written, F * R)."""

    read: slice
    write: slice
    spread: Tensor
    gather: Tensor


class Plan(NamedTuple):
    """The bands of maps of one size, and kernel (F, 9), which makes the matrices of a weight."""

    bands: list[Band]
    kernel: Tensor


@cache
def plan(size: tuple[int, int], maps: torch.dtype, weight: torch.dtype) -> Plan:
    """The plan of maps of size P, Q; `maps` and `weight` are dtypes."""
    rows, columns = (_tiles(length) for length in size)
    bands = [_band(tile, columns, size[1], maps) for tile in rows]
    return Plan(bands, torch.tensor(np.kron(_kernel(), _kernel()), dtype=weight))


def _tiles(length: int) -> list[Tile]:
    """The tiles that cover an axis of this length."""
    return [_tile(first, length) for first in range(0, length, TILE)]


def _tile(first: int, length: int) -> Tile:
    """The tile that starts at a position, of an axis of this length."""
    start, stop = max(first - 1, 0), min(first + TILE + 1, length)
    end = min(first + TILE, length)
    near = slice(start - first + 1, stop - first + 1)
    gather = _evaluate(TILE).T[: end - first]
    return Tile(slice(start, stop), slice(first, end), _spread()[:, near], gather)


def _band(row: Tile, columns: list[Tile], width: int, dtype: torch.dtype) -> Band:
    """A row of tiles, in maps of this width Q."""
    spread, gather = np.zeros((6, len(columns), width)), np.zeros((width, 6, len(columns)))
    for index, tile in enumerate(columns):
        spread[:, index, tile.read] = tile.spread
        gather[tile.write, :, index] = tile.gather
    spread = np.einsum("fp,grq->fgrpq", row.spread, spread)
    gather = np.einsum("pf,qgr->pqfgr", row.gather, gather)
    sums = 36 * len(columns)
    return Band(
        slice(row.read.start * width, row.read.stop * width),
        slice(row.write.start * width, row.write.stop * width),
        torch.tensor(spread.reshape(sums, -1), dtype=dtype),
        torch.tensor(gather.reshape(-1, sums), dtype=dtype),
    )


def _evaluate(coefficients: int) -> np.ndarray:
    """(6, coefficients): the values of polynomials; at infinity the highest power counts."""
    powers = np.vander([*POINTS, 0], coefficients, increasing=True)
    powers[-1] = np.eye(coefficients)[-1]
    return powers


def _spread() -> np.ndarray:
    """(6, 6): the coefficients of the polynomials that are zero at all points except one."""
    sums = np.zeros((len(POINTS) + 1, len(POINTS) + 1))
    for index in range(len(POINTS)):
        sums[index, :-1] = np.poly(np.delete(POINTS, index))[::-1]
    sums[-1] = np.poly(POINTS)[::-1]
    return sums


def _kernel() -> np.ndarray:
    """(6, 3): a kernel's values at the points, over those of the polynomials of `_spread`."""
    heights = [np.prod(point - np.delete(POINTS, index)) for index, point in enumerate(POINTS)]
    return _evaluate(KERNEL) / np.array([*heights, 1])[:, None]


class _Winograd(torch.autograd.Function):
    @staticmethod
    def forward(ctx: FunctionCtx, maps: Tensor, weight: Tensor, chosen: Plan) -> Tensor:
        matrices = chosen.kernel @ weight.reshape(-1, KERNEL**2).T  #              (F, H * C)
        matrices = matrices.to(maps.dtype).view(-1, *weight.shape[:2])  #          (F, H, C)
        result = maps.new_empty(*maps.shape[:2], len(weight))  #                   (PQ, N, H)
        all_sums = []
        for band in chosen.bands:
            sums = band.spread @ maps[band.read].flatten(1)  #                     (F * R, N * C)
            sums = sums.view(len(matrices), -1, maps.shape[2])  #                  (F, R * N, C)
            products = torch.bmm(sums, matrices.mT).view(len(band.spread), -1)  #  (F * R, N * H)
            torch.mm(band.gather, products, out=result[band.write].flatten(1))
            all_sums.append(sums)
        ctx.save_for_backward(matrices, *all_sums)
        ctx.chosen, ctx.shape = chosen, maps.shape
        return result

    @staticmethod
    def backward(ctx: FunctionCtx, gradient: Tensor) -> tuple[Tensor | None, Tensor, None]:
        matrices, *all_sums = ctx.saved_tensors
        of_matrices = torch.zeros_like(matrices)
        of_maps = gradient.new_zeros(ctx.shape) if ctx.needs_input_grad[0] else None
        for band, sums in zip(ctx.chosen.bands, all_sums, strict=True):
            products = band.gather.T @ gradient[band.write].flatten(1)  #          (F * R, N * H)
            products = products.view(len(matrices), -1, gradient.shape[2])  #      (F, R * N, H)
            of_matrices.baddbmm_(products.mT, sums)
            if of_maps is not None:
                of_sums = torch.bmm(products, matrices).view(len(band.spread), -1)
                of_maps[band.read].flatten(1).addmm_(band.spread.T, of_sums)
        kernel = ctx.chosen.kernel
        of_weight = kernel.T @ of_matrices.flatten(1).to(kernel.dtype)  #          (9, H * C)
        return of_maps, of_weight.T.reshape(*matrices.shape[1:], KERNEL, KERNEL), None
