"""Polygons with holes as one ring, for formats that have no holes."""

from bisect import bisect_left, insort
from itertools import pairwise

import numpy as np

from app.scoring import Polygon, Ring


def in_one_ring(polygon: Polygon) -> Ring:
    """The outer ring, which a slit without width joins with each hole: it goes there, around the hole, and back.

    A slit leads from the first point of a hole to the left, along the upper edge of pixels of the polygon, to the next
    edge. This is an edge of the outer ring, or of a hole that has its first point before, so that it is joined already.
    """
    if len(polygon) == 1:
        return polygon[0]
    points: list[list[int]] = np.concatenate(polygon).tolist()
    ends = np.cumsum([len(ring) for ring in polygon]).tolist()
    following = list(range(1, len(points) + 1))
    for first, end in zip([0, *ends[:-1]], ends, strict=True):
        following[end - 1] = first
    left_edges = _LeftEdges(points, following)
    for first, end in pairwise(ends):
        x, y = points[first]
        start = left_edges.before(x, y)
        there, back = len(points), len(points) + 1
        foot = [points[start][0], y]
        after = following[start]
        points += [foot, [x, y]]
        following += [first, after]
        following[start], following[end - 1] = there, back
        if points[after] != foot:
            points.append(foot)
            following.append(after)
            following[back] = len(points) - 1
    ring, at = [points[0]], following[0]
    while at:
        ring.append(points[at])
        at = following[at]
    return np.array(ring)


class _LeftEdges:
    """The edges that have the polygon at their right, for places that come from top to bottom."""

    def __init__(self, points: list[list[int]], following: list[int]) -> None:
        self._points = points
        upward = [start for start, end in enumerate(following) if points[end][1] < points[start][1]]
        self._coming = sorted(upward, key=lambda start: points[following[start]][1], reverse=True)
        self._tops = [points[following[start]][1] for start in self._coming]
        self._columns: list[int] = []  # of the edges so far, in order; some end above
        self._at: dict[int, int] = {}  # the start of the last edge in each of these columns

    def before(self, x: int, y: int) -> int:
        """The start of the next edge at the left of column `x`, in the row of pixels `y`."""
        while self._coming and self._tops[-1] <= y:
            start = self._coming.pop()
            self._tops.pop()
            column = self._points[start][0]
            if column not in self._at:
                insort(self._columns, column)
            self._at[column] = start
        place = bisect_left(self._columns, x) - 1
        while self._points[self._at[self._columns[place]]][1] <= y:  # its lower end, where it starts
            del self._at[self._columns.pop(place)]
            place -= 1
        return self._at[self._columns[place]]
