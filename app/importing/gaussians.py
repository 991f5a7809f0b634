"""Converts anomalib's Gaussians: to the positions of the plan's grid, and from inverse covariances to whiteners."""

from collections.abc import Sequence

import torch
from torch import Tensor

from app.errors import UnsupportedImport
from app.tiling import Axis, TilePlan, TilingMode


def positions(plan: TilePlan, stride: int, fitted: int) -> tuple[list[int], list[int], int]:
    """The rows and columns of anomalib's grid that match those of the plan's grid; and anomalib's number of columns.

    `fitted` is the number of positions of anomalib's grid. In padding mode this grid also has the cells of the padding.
    In interpolation mode it has a cell for each pixel, each a copy (nearest) of a cell of the plan's grid. Raises
    UnsupportedImport if pictures of this size have another number of positions.
    """
    theirs_y, theirs_x = _fitted_cells(plan.y, stride), _fitted_cells(plan.x, stride)
    if theirs_y * theirs_x != fitted:
        height, width = plan.image_size
        tiles = f"tiles of {plan.y.tile} x {plan.x.tile}" if plan.tiled else "no tiles"
        raise UnsupportedImport(
            f"the file has Gaussians of {fitted} positions, and pictures of {height} x {width} pixels with {tiles} "
            f"have {theirs_y} x {theirs_x}; give the image_size and the tiling that the model was trained with"
        )
    return _sources(plan.y, stride), _sources(plan.x, stride), theirs_x


def _fitted_cells(axis: Axis, stride: int) -> int:
    if not axis.tiled:
        return axis.cells(stride)
    return axis.length if axis.mode is TilingMode.interpolation else axis.canvas // stride


def _sources(axis: Axis, stride: int) -> list[int]:
    """For each cell of the plan's grid along the edge, the index of anomalib's cell."""
    cells = axis.cells(stride)
    if axis.tiled and axis.mode is TilingMode.interpolation:
        return [-(-cell * axis.length // cells) for cell in range(cells)]  # the first pixel that shows the cell
    return list(range(cells))


def selected(values: Tensor, rows: Sequence[int], columns: Sequence[int], fitted_columns: int) -> Tensor:
    """The values at these rows and columns, [P,...] -> [h,w,...]; a view if these are all rows and columns."""
    if len(rows) * len(columns) == len(values):
        return values.reshape(len(rows), len(columns), *values.shape[1:])
    places = torch.tensor(rows)[:, None] * fitted_columns + torch.tensor(columns)
    return values[places]


def whiteners(inverse: Tensor) -> Tensor:
    """Lower triangular W, [p,c,c] float32, with W^T W = inverse, of inverse covariances [p,c,c]; computed in float64.

    If rounding made an inverse indefinite, its negative eigenvalues count as 0. In these directions anomalib's distance
    is 0, too.
    """
    exact = inverse.double().flip(-1, -2)  # the transposed Cholesky factor, flipped back, is lower triangular
    exact = (exact + exact.mT) / 2  # the distance depends only on the symmetric part
    factor, failed = torch.linalg.cholesky_ex(exact)
    whitener = factor.mT
    bad = failed.nonzero()[:, 0]
    if len(bad):
        values, vectors = torch.linalg.eigh(exact[bad])
        whitener = whitener.clone()
        whitener[bad] = torch.linalg.qr(values.clamp_(min=0).sqrt_().unsqueeze(-1) * vectors.mT, mode="r").R
    found: Tensor = whitener.flip(-1, -2).float()
    return found
