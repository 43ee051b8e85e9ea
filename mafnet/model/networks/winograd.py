"""The 3x3 convolution in a quarter of the multiplications (Winograd; arXiv 1509.09308, section 4).

    P x Q  places of a map, here always one axis PQ     C, H  channels before and after
    N      maps                                         F     36, see below
    R      tiles side by side in a band, which is four rows of places

A tile of 4 x 4 places takes 36 products of numbers and kernel instead of 144. With its surroundings
it is spread to 36 sums, each of these is multiplied by a matrix (C, H) of its own, and what results
is gathered to the 16 places. Places come first, so that spreading and gathering a band of all maps
and channels is one matrix product; its matrix knows the border, and its numbers are exact in
bfloat16. So bfloat16 rounds as often as in a plain convolution; what is rounded is larger, and the
error with it some four times.
"""

from functools import cache
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.autograd.function import FunctionCtx

TILE, KERNEL = 4, 3
POINTS = (0, 1, -1, 1 / 2, -2)
"""Where polynomials are evaluated, beside infinity: those of the usual ones that round least."""


def conv3x3(maps: Tensor, weight: Tensor, places: tuple[int, int]) -> Tensor:
    """The convolution (PQ, N, H) of maps (PQ, N, C), zeros around them, with weight (H, C, 3, 3).

    The result has the dtype of the maps; the weights' gradient has that of the weights.
    """
    return _Winograd.apply(maps.contiguous(), weight, plan(places, maps.dtype, weight.dtype))


class Tile(NamedTuple):
    """Four places in a row, fewer at the end, of those along an axis.

    read, write: the places with their neighbours, and without.
    spread, gather: (6, places read) and (places written, 6).
    """

    read: slice
    write: slice
    spread: np.ndarray
    gather: np.ndarray


class Band(NamedTuple):
    """What a tile is along one axis, in both: spread (F * R, read), gather (written, F * R)."""

    read: slice
    write: slice
    spread: Tensor
    gather: Tensor


class Plan(NamedTuple):
    """The bands of maps of one size, and kernel (F, 9), which makes the matrices of a weight."""

    bands: list[Band]
    kernel: Tensor


@cache
def plan(places: tuple[int, int], maps: torch.dtype, weight: torch.dtype) -> Plan:
    """The plan of maps with P x Q places; `maps` and `weight` are dtypes."""
    rows, columns = (_tiles(count) for count in places)
    bands = [_band(tile, columns, places[1], maps) for tile in rows]
    return Plan(bands, torch.tensor(np.kron(_kernel(), _kernel()), dtype=weight))


def _tiles(places: int) -> list[Tile]:
    """The tiles that cover so many places."""
    return [_tile(first, places) for first in range(0, places, TILE)]


def _tile(first: int, places: int) -> Tile:
    """The tile from a place on, in so many places."""
    start, stop = max(first - 1, 0), min(first + TILE + 1, places)
    end = min(first + TILE, places)
    near = slice(start - first + 1, stop - first + 1)
    gather = _evaluate(TILE).T[: end - first]
    return Tile(slice(start, stop), slice(first, end), _spread()[:, near], gather)


def _band(row: Tile, columns: list[Tile], places: int, dtype: torch.dtype) -> Band:
    """A row of tiles, in maps with so many places in a row."""
    spread, gather = np.zeros((6, len(columns), places)), np.zeros((places, 6, len(columns)))
    for index, tile in enumerate(columns):
        spread[:, index, tile.read] = tile.spread
        gather[tile.write, :, index] = tile.gather
    spread = np.einsum("fp,grq->fgrpq", row.spread, spread)
    gather = np.einsum("pf,qgr->pqfgr", row.gather, gather)
    sums = 36 * len(columns)
    return Band(
        slice(row.read.start * places, row.read.stop * places),
        slice(row.write.start * places, row.write.stop * places),
        torch.tensor(spread.reshape(sums, -1), dtype=dtype),
        torch.tensor(gather.reshape(-1, sums), dtype=dtype),
    )


def _evaluate(coefficients: int) -> np.ndarray:
    """(6, coefficients): the values of polynomials; at infinity the highest power counts."""
    powers = np.vander([*POINTS, 0], coefficients, increasing=True)
    powers[-1] = np.eye(coefficients)[-1]
    return powers


def _spread() -> np.ndarray:
    """(6, 6): the coefficients of the polynomials that are zero at all points but one."""
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
