"""Whiteners: lower triangular matrices W with W^T W = inverse covariance, so that |W x| is x's Mahalanobis distance.

Memory bandwidth dominates: each distance reads a whole matrix. Matrices are therefore packed: cut into blocks of
`BLOCK` rows, without the columns right of the diagonal block, which leaves 60 % of the values at 100 channels. Each
block is transposed, because the product of a row vector and a block is the fastest. A few rows of positions form a
group. Equal blocks of all positions of a group are adjacent in memory, so that one call multiplies them without a copy.
"""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

BLOCK = 20
GROUP_ROWS = 4
GROUP_BYTES = 2**27  # the limit of a group's unpacked matrices, unless a single row of positions has more


def packed_size(channels: int) -> int:
    """The number of values of a packed matrix."""
    return sum(last * (last - first) for first, last, _ in _blocks(channels))


def packed_in_place(
    matrices: Tensor, width: int, whiteners: Callable[[Tensor], Tensor], done: Callable[[int], None] = lambda _: None
) -> Tensor:
    """Applies `whiteners` to matrices [h * width,c,c] group by group, and packs the results into the same memory.

    Returns the packed values [h * width * packed_size(c)]. `done` is called with the number of matrices that are
    packed. A packed matrix is smaller than the whole matrix, so writing never overtakes reading.
    """
    channels = matrices.shape[-1]
    packed = matrices.view(-1)[: len(matrices) * packed_size(channels)]
    for group in _groups(len(matrices) // width, width, channels):
        positions = slice(group.start * width, group.stop * width)
        found = whiteners(matrices[positions].clone())  # the loop overwrites them
        for first, last, place in _segments(group, width, channels):
            packed[place].view(len(found), last, last - first).copy_(found[:, first:last, :last].mT)
        done(positions.stop)
    return packed


def unpacked(packed: Tensor, grid: tuple[int, int], channels: int) -> Iterator[tuple[slice, Tensor]]:
    """The positions and the whiteners [p,c,c] of each group of a grid `(rows, columns)`, from their packed values."""
    for group in _groups(*grid, channels):
        positions = slice(group.start * grid[1], group.stop * grid[1])
        found = packed.new_zeros(positions.stop - positions.start, channels, channels)
        for first, last, place in _segments(group, grid[1], channels):
            found[:, first:last, :last] = packed[place].view(len(found), last, last - first).mT
        yield positions, found


def whiteners_of(covariances: Tensor, regularisation: float) -> Tensor:
    """W of covariances [p,c,c], which are overwritten: W = R^-1 with covariance + regularisation = R R^T."""
    identity = torch.eye(covariances.shape[-1], device=covariances.device)
    factor = torch.linalg.cholesky(covariances.add_(identity, alpha=regularisation))
    found: Tensor = torch.linalg.solve_triangular(factor, identity.expand_as(factor), upper=False)
    return found


def covariances_of(whiteners: Tensor, regularisation: float) -> Tensor:
    """The covariances [p,c,c] of lower triangular whiteners, the inverse of `whiteners_of`."""
    identity = torch.eye(whiteners.shape[-1], device=whiteners.device)
    factor = torch.linalg.solve_triangular(whiteners, identity.expand_as(whiteners), upper=False)
    return torch.matmul(factor, factor.mT).sub_(identity, alpha=regularisation)


def lower_triangular(whiteners: Tensor) -> Tensor:
    """Lower triangular matrices with the same W^T W as these [p,c,c]; triangular matrices are not changed."""
    other = (whiteners.triu(1) != 0).flatten(1).any(1)
    if not other.any():
        return whiteners
    factors = torch.linalg.qr(whiteners[other].double().flip(-1), mode="r").R  # upper triangular, channels reversed
    found = whiteners.clone()
    found[other] = factors.flip(-1, -2).to(whiteners.dtype)
    return found


def whitened_lengths(packed: Tensor, grid: tuple[int, int], vectors: Tensor, top: int, left: int) -> Tensor:
    """|W x| of vectors [h,w,c], whose first is at row `top` and column `left` of a grid `(rows, columns)`: [h,w].

    `packed` has the matrices of the whole grid. They are not copied if the vectors are as wide as the grid.
    """
    height, width, channels = vectors.shape
    lengths = vectors.new_empty(height, width)
    for group in _groups(*grid, channels):
        begin, end = max(group.start, top), min(group.stop, top + height)
        if begin >= end:
            continue
        rows = vectors[begin - top : end - top].reshape(-1, 1, channels)  # [p,1,c]
        products = []
        for first, last, place in _segments(group, grid[1], channels):
            matrices = packed[place].view(group.stop - group.start, grid[1], last, last - first)
            own = matrices[begin - group.start : end - group.start, left : left + width]
            products.append(torch.bmm(rows[:, :, :last], own.reshape(len(rows), last, last - first)))
        whitened = torch.cat(products, 2)  # [p,1,c]
        torch.linalg.vector_norm(whitened[:, 0], dim=1, out=lengths[begin - top : end - top].view(-1))
    return lengths


def _blocks(channels: int) -> Iterator[tuple[int, int, slice]]:
    """For each block, its first row, the row after its last, and its place among the packed values of a matrix."""
    start = 0
    for first in range(0, channels, BLOCK):
        last = min(first + BLOCK, channels)
        stop = start + last * (last - first)
        yield first, last, slice(start, stop)
        start = stop


def _groups(rows: int, width: int, channels: int) -> Iterator[range]:
    """The groups, as ranges of rows of positions."""
    together = min(GROUP_ROWS, max(1, GROUP_BYTES // (4 * width * channels**2)))
    for first in range(0, rows, together):
        yield range(first, min(first + together, rows))


def _segments(group: range, width: int, channels: int) -> Iterator[tuple[int, int, slice]]:
    """For each block, its first row, the row after its last, and the place of the group's blocks in `packed`."""
    start, positions = group.start * width * packed_size(channels), len(group) * width
    for first, last, place in _blocks(channels):
        yield first, last, slice(start + place.start * positions, start + place.stop * positions)
