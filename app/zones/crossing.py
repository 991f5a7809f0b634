"""Finds where the outline of a polygon crosses itself."""

import numpy as np
from numpy.typing import NDArray

AT_ONCE = 256
"""The number of edges that are compared with all others at once."""

Floats = NDArray[np.float64]


def find_crossing(one: Floats, other: Floats) -> tuple[float, float] | None:
    """A point near which two edges cross each other in their inner parts; None: no edges do.

    Edges may touch, and may lie on each other: programs join holes with the outer ring by an edge that is drawn twice.

    one, other: the ends of all edges, [2,n], x and y
    """
    starts, ends = one.T, other.T  # [n,2]
    for first in range(0, len(starts), AT_ONCE):
        start, end = starts[first : first + AT_ONCE, None], ends[first : first + AT_ONCE, None]  # [m,1,2]
        divides = _side(start, end, starts) * _side(start, end, ends) < 0
        divided = _side(starts, ends, start) * _side(starts, ends, end) < 0
        crossing = np.argwhere(divides & divided)
        if len(crossing):
            edge, crossed = crossing[0]
            x, y = (start[edge, 0] + end[edge, 0] + starts[crossed] + ends[crossed]) / 4
            return float(x), float(y)
    return None


def _side(start: Floats, end: Floats, point: Floats) -> Floats:
    """At which side of the line from `start` to `end` a point lies: the sign; 0: on the line. All are [...,2]."""
    along, to = end - start, point - start
    sides: Floats = np.sign(along[..., 0] * to[..., 1] - along[..., 1] * to[..., 0])
    return sides
