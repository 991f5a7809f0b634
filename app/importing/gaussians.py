"""anomalib's Gaussians as ours: on the picture's grid, and with a whitener instead of an inverse covariance."""

from collections.abc import Sequence

import torch
from torch import Tensor

from app.errors import UnsupportedImport
from app.tiling import Axis, TilePlan


def positions(plan: TilePlan, stride: int, fitted: int) -> tuple[list[int], list[int], int]:
    """Which of the `fitted` positions belong to the rows and columns of our grid, and how many columns were fitted.

    anomalib's grid is ours where pictures are on the grid of tiles. It also has the cells of padding, and in
    interpolation mode a cell for each pixel, each a copy of ours (nearest). Raises UnsupportedImport if their number
    is not that of pictures of this size.
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
    return axis.length if axis.mode == "interpolation" else axis.canvas // stride


def _sources(axis: Axis, stride: int) -> list[int]:
    """The fitted cell that each of ours is found in."""
    cells = axis.cells(stride)
    if axis.tiled and axis.mode == "interpolation":
        return [-(-cell * axis.length // cells) for cell in range(cells)]  # the first pixel that shows the cell
    return list(range(cells))


def selected(values: Tensor, rows: Sequence[int], columns: Sequence[int], fitted_columns: int) -> Tensor:
    """[P,...] -> [h,w,...], of those rows and columns; does not copy where they are all."""
    if len(rows) * len(columns) == len(values):
        return values.reshape(len(rows), len(columns), *values.shape[1:])
    places = torch.tensor(rows)[:, None] * fitted_columns + torch.tensor(columns)
    return values[places]


def whiteners(inverse: Tensor) -> Tensor:
    """Lower triangular W with W^T W = inverse, of inverse covariances [p,c,c].

    Computed in float64. An inverse that rounding left indefinite loses what is negative of it, where anomalib's
    distance would be 0.
    """
    exact = inverse.double().flip(-1, -2)  # its factor, turned back, is the other triangle
    exact = (exact + exact.mT) / 2  # the distance knows only the symmetric part
    factor, failed = torch.linalg.cholesky_ex(exact)
    whitener = factor.mT
    bad = failed.nonzero()[:, 0]
    if len(bad):
        values, vectors = torch.linalg.eigh(exact[bad])
        whitener = whitener.clone()
        whitener[bad] = torch.linalg.qr(values.clamp_(min=0).sqrt_().unsqueeze(-1) * vectors.mT, mode="r").R
    found: Tensor = whitener.flip(-1, -2).float()
    return found
