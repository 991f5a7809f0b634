"""Thins curves to few points for drawing. Areas under curves are computed before, from all points."""

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]
"""The points of a curve, in its order: [n,2] in [0,1]."""

CELLS = 450
"""Curves are thinned on a grid of this many cells along each axis."""


def thin(points: Points) -> Points:
    """Thins a curve that rises along both axes to at most 2 * CELLS + 2 points; deviates from it by at most 1 / CELLS.

    Keeps the first point in each cell of a grid, and the last point of the curve. A curve may be thinned in steps:
    thinning a thinned curve with new points at its end gives the same result as thinning all points at once.
    """
    return points[_first_of_cells(points) | _last(points)]


def thin_along(points: Points) -> Points:
    """Thins a curve that rises along its first axis only to at most CELLS + 2 points.

    Keeps the first point in each of CELLS equal intervals of that axis, and the last point of the curve.
    """
    return points[_first_of_cells(points[:, :1]) | _last(points)]


def _first_of_cells(coordinates: Points) -> NDArray[np.bool_]:
    cells = np.floor(coordinates * CELLS)
    first = np.ones(len(cells), bool)
    first[1:] = (cells[1:] != cells[:-1]).any(1)
    return first


def _last(points: Points) -> NDArray[np.bool_]:
    last = np.zeros(len(points), bool)
    last[-1:] = True
    return last
