"""Reviewed areas of pictures, on grids of cells and on pixels."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from app.pipeline import Grid
from app.reviews import ReviewedPicture, ReviewLabel, Ring

Booleans = NDArray[np.bool_]
Floats = NDArray[np.float64]


def inside(rings: Sequence[Ring], y: Floats, x: Floats) -> Booleans:
    """Which points of a grid with the rows `y` and the columns `x`, both rising, lie inside an area: [len(y),len(x)].

    A point is inside if a ray from it crosses the rings an odd number of times, so that holes are outside.
    """
    found = np.zeros((len(y), len(x)), bool)
    for ring in rings:
        for (x0, y0), (x1, y1) in zip(ring, (*ring[1:], ring[0]), strict=True):
            low, high = sorted((y0, y1))
            rows = slice(int(np.searchsorted(y, low)), int(np.searchsorted(y, high)))  # low <= y < high
            crossing = x0 + (y[rows] - y0) * (x1 - x0) / (y1 - y0) if y1 != y0 else y[:0]
            found[rows] ^= x[None, :] > crossing[:, None]
    return found


def counted_cells(picture: ReviewedPicture, grid: Grid) -> Tensor | None:
    """The cells [rows,columns] bool of a picture that a model may learn; None: all.

    Without judged regions, all of a harmless picture counts. Otherwise, those cells count whose centres lie within a
    harmless region, except for cells of other regions and their neighbours, which see them.
    """
    if not picture.regions:
        return None if picture.label is ReviewLabel.harmless else torch.zeros(grid.cells, dtype=torch.bool)
    found, others = (np.zeros(grid.cells, bool) for _ in range(2))
    for region in picture.regions:
        whole = found if region.label is ReviewLabel.harmless else others
        whole |= _cells(region.rings, grid)
    around = F.max_pool2d(torch.from_numpy(others)[None].float(), 3, 1, 1)[0] > 0
    return torch.from_numpy(found) & ~around


def defect_cells(picture: ReviewedPicture, grid: Grid) -> Tensor:
    """The cells [rows,columns] bool of the regions and areas of a picture that are confirmed defects."""
    found = np.zeros(grid.cells, bool)
    for region in picture.regions:
        if region.label is ReviewLabel.defect:
            found |= _cells(region.rings, grid)
    return torch.from_numpy(found)


def _cells(rings: Sequence[Ring], grid: Grid) -> Booleans:
    """The cells whose centres lie inside an area; of one that contains no centre, the cell in its middle."""
    rows, columns = grid.cells
    centres = grid.centres(torch.stack([torch.arange(max(rows, columns))] * 2, 1)).double().numpy() + 0.5
    found = inside(rings, centres[:rows, 0], centres[:columns, 1])
    if not found.any():
        corners = np.array(rings[0])
        x, y = (corners.min(0) + corners.max(0)) / 2
        found[grid.cell((int(min(y, grid.size[0] - 1)), int(min(x, grid.size[1] - 1))))] = True
    return found


def peak_place(rings: Sequence[Ring], anomaly_map: Tensor) -> tuple[int, int]:
    """The (row, column) of the largest value of a map [H,W] inside an area.

    Of an area that contains no centre of a pixel, inside its frame.
    """
    height, width = anomaly_map.shape
    corners = np.array(rings[0])
    left, top = np.floor(corners.min(0)).astype(int)
    right, bottom = np.ceil(corners.max(0)).astype(int)
    top, left = int(np.clip(top, 0, height - 1)), int(np.clip(left, 0, width - 1))
    part = anomaly_map.numpy()[top : max(int(bottom), top + 1), left : max(int(right), left + 1)]
    own = inside(rings, np.arange(top, top + part.shape[0]) + 0.5, np.arange(left, left + part.shape[1]) + 0.5)
    values = np.where(own, part, -np.inf) if own.any() else part
    row, column = np.unravel_index(int(values.argmax()), values.shape)
    return top + int(row), left + int(column)


def peak_within(rings: Sequence[Ring], anomaly_map: Tensor) -> float:
    """The largest value of a map [H,W] inside an area, see `peak_place`."""
    return float(anomaly_map[peak_place(rings, anomaly_map)])
