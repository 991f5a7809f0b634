"""Curves to draw: few enough points, while areas are computed on all of them."""

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]
"""[n,2] in [0,1], in the order in which the curve passes them."""

CELLS = 450


def thin(points: Points) -> Points:
    """At most 2 * CELLS + 2 of the points of a curve that rises along both axes, off it by at most 1 / CELLS.

    Of each cell of a grid the first point is kept, and the curve's last: thinning a thinned curve with more points at
    its end gives what thinning all of them at once would, but for ends in between, which may go.
    """
    return points[_first_of_cells(points) | _last(points)]


def thin_along(points: Points) -> Points:
    """The same for a curve that rises along its first axis only: at most CELLS + 2 points."""
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
