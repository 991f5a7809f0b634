"""Polygons as pixels, and the rules of valid polygons, by definitions that share nothing with the tracer."""

from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage

Bits = NDArray[np.bool_]


def pixels_of(rings: Iterable[ArrayLike], size: tuple[int, int]) -> Bits:
    """The pixels whose centres an odd number of the rings contain; the last point may repeat the first."""
    crossed = np.zeros((size[0], size[1] + 1), np.int64)  # vertical edges at the left of each pixel
    for ring in rings:
        points = np.asarray(ring, np.int64)
        for (x, y), (next_x, next_y) in zip(points, np.roll(points, -1, 0), strict=True):
            if x == next_x:
                crossed[min(y, next_y) : max(y, next_y), x] += 1
    found: Bits = np.cumsum(crossed, 1)[:, :-1] % 2 == 1
    return found


def doubled_area(ring: ArrayLike) -> int:
    """Twice the area of a ring; positive if it is counterclockwise, counted as if y were upward."""
    x, y = np.asarray(ring, np.int64).T
    return int((x * np.roll(y, -1) - np.roll(x, -1) * y).sum())


def require_valid(polygons: Sequence[Sequence[ArrayLike]], size: tuple[int, int]) -> None:
    """Asserts that the polygons are a valid multipolygon (OGC 06-103r4, sections 6.1.11 and 6.1.14), of pixels' edges.

    Rings are not closed here: their last points are not their first ones.
    """
    inside = np.zeros(size, np.int64)
    for polygon in polygons:
        outer, *holes = polygon
        assert doubled_area(outer) > 0 and all(doubled_area(hole) < 0 for hole in holes)
        own = pixels_of(polygon, size)
        assert ndimage.label(own)[1] == 1  # the interior is connected
        for hole in holes:
            within = pixels_of([hole], size)
            assert not (within & ~pixels_of([outer], size)).any() and not (within & own).any()
        inside += own
    assert inside.max() == 1  # interiors are disjoint
    edges: Counter[tuple[int, int, int]] = Counter()
    corners: Counter[tuple[int, int]] = Counter()
    for ring in (np.asarray(ring, np.int64) for polygon in polygons for ring in polygon):
        points = [(int(x), int(y)) for x, y in ring]
        assert len(set(points)) == len(points) >= 4  # it touches itself nowhere
        steps = np.roll(ring, -1, 0) - ring
        assert ((steps == 0).sum(1) == 1).all()  # along the edges of pixels
        assert ((steps[:, 0] == 0) != (np.roll(steps[:, 0], 1) == 0)).all()  # no point within a straight line
        corners.update(points)
        for (x, y), (next_x, next_y) in zip(points, points[1:] + points[:1], strict=True):
            edges.update((at, y, 0) for at in range(min(x, next_x), max(x, next_x)))
            edges.update((x, at, 1) for at in range(min(y, next_y), max(y, next_y)))
    assert set(edges.values()) == {1}  # rings have no line in common
    at = Counter[tuple[int, int]]()
    for x, y, is_down in edges:
        at.update([(x, y), (x, y + 1) if is_down else (x + 1, y)])
    assert all(corners[point] == 2 for point, count in at.items() if count == 4)  # they touch, and do not cross
