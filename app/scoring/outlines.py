"""Outlines of regions: polygons along the edges of pixels, traced band by band.

A region may touch itself at the corner of two pixels. A ring through both would touch itself, which is not valid (OGC
06-103r4, section 6.1.11). So a region is divided into patches, whose pixels are connected by edges (4 neighbours). Each
patch is a polygon; its holes are the parts outside it that are connected by edges. Then a ring visits no point twice,
and the rings of a polygon touch at single points that never divide the polygon.

Only corners of outlines are stored while rows arrive: the points where an outline turns. Of the corners in one row of
points, the first and the second are the ends of an edge, and so are the third and the fourth, and so on; likewise in a
column. So the corners of a complete region determine its rings, in any order.
"""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from app.errors import TooManyPoints
from app.scoring.components import Integers, Piece

Ring = NDArray[np.int64]
"""The points of a ring in order, [n,2]: (x, y) in pixels, y downward. The first point is not repeated at the end.

The first ring of a polygon is counterclockwise, and its holes are clockwise, as RFC 7946 counts: as if y were upward.
"""
Polygon = tuple[Ring, ...]
"""The outer ring of a polygon, and its holes."""
Outline = tuple[Polygon, ...]
"""The polygons of a region, in the order of their first points, row by row."""

# The four pixels around a point: the kind of a corner is the sum of those inside. Where only two opposite pixels are
# inside (6, 9), two corners of one pixel each meet.
UPPER_LEFT, UPPER_RIGHT, LOWER_LEFT, LOWER_RIGHT = 1, 2, 4, 8


def _of_kinds(*kinds: int) -> NDArray[np.bool_]:
    found = np.zeros(16, np.bool_)
    found[list(kinds)] = True
    return found


_TURNS = _of_kinds(1, 2, 4, 8, 7, 11, 13, 14, 6, 9)
_MEETS = _of_kinds(6, 9)
_EDGE_TO_RIGHT = _of_kinds(2, 8, 7, 13)  # of the two edges at a corner, the horizontal one leads to the right
_EDGE_DOWN = _of_kinds(4, 8, 7, 11)
_LEAVES_SIDEWAYS = _of_kinds(1, 8, 11, 13)  # the ring arrives by the vertical edge, and leaves by the horizontal one
_IS_LOWER, _IS_RIGHT = _of_kinds(4, 8, 13, 14), _of_kinds(2, 8, 13, 14)  # the place of one of the pixels inside

AT_ONCE = 2**19
"""A piece may have this number of corners, whatever the limit is: small regions are left out later. About 100 MB."""

_CORNER = np.dtype([("y", np.int64), ("x", np.int64), ("patch", np.int64), ("kind", np.uint8)])
_JOINT = np.dtype([("one", np.int64), ("other", np.int64)])
"""Two patches that turned out to be one."""

Records = NDArray[np.void]


class _Held:
    """Records of open regions. A record is copied once, however long its region stays open."""

    def __init__(self, kind: np.dtype[np.void]) -> None:
        self._none = np.zeros(0, kind), np.zeros(0, np.int64)
        self._fresh = [self._none]  # since the last `close`, with the region of each
        self._held: dict[int, list[Records]] = {}
        self.count = 0  # of those in `_held`

    def add(self, records: Records, regions: Integers) -> None:
        """Adds records, with the number of the region of each."""
        self._fresh.append((records, regions))

    def regroup(self, group: Integers) -> None:
        """Joins what became one region: `group` has the new number of each region."""
        self._fresh = [(records, group[regions]) for records, regions in self._fresh]
        joined: dict[int, list[Records]] = {}
        numbers = group.tolist()
        for region, held in self._held.items():
            number = numbers[region]
            if number in joined:  # the longer list takes the shorter one, so that lists grow in linear time
                held, shorter = sorted((held, joined[number]), key=len, reverse=True)
                held += shorter
            joined[number] = held
        self._held = joined

    def close(self, closed: NDArray[np.bool_], kept: NDArray[np.bool_]) -> tuple[Records, Integers]:
        """The records of the regions `kept`, with their regions. Drops all regions that are `closed`."""
        records, regions = (np.concatenate(each) for each in zip(*self._fresh, strict=True))
        self._fresh = [self._none]
        found = [(records[kept[regions]], regions[kept[regions]])]
        for region in [region for region in self._held if closed[region]]:
            for held in self._held.pop(region):
                self.count -= len(held)
                if kept[region]:
                    found.append((held, np.full(len(held), region)))
        left = ~closed[regions]
        self._keep(records[left], regions[left])
        self.regroup(np.cumsum(~closed) - 1)
        whole, numbers = (np.concatenate(each) for each in zip(*found, strict=True))
        return whole, numbers

    def _keep(self, records: Records, regions: Integers) -> None:
        order = np.argsort(regions, kind="stable")
        numbers, first = np.unique(regions[order], return_index=True)
        for region, own in zip(numbers.tolist(), np.split(order, first[1:]), strict=False):
            self._held.setdefault(region, []).append(records[own])
        self.count += len(records)


class Tracer:
    """Traces the outlines of regions, which a RegionFinder joins.

    Memory holds the corners of open regions: those that reach the last row. Raises TooManyPoints if these, and those of
    the outlines that are closed together, are more than `most_points`.
    """

    def __init__(self, most_points: int) -> None:
        self._most_points = most_points
        self._corners, self._joints = _Held(_CORNER), _Held(_JOINT)
        self._count = 0  # the number of patches so far
        self._row = np.zeros(0, np.int64)  # the last row that was traced: for each pixel, the place of its patch, + 1
        self._left = self._end = 0  # the column of its first pixel, and the number of the row after it
        self._patches = np.zeros(0, np.int64)  # the numbers of the patches in that row
        self._regions = np.zeros(0, np.int64)  # their regions

    def take(self, piece: Piece, group: Integers) -> None:
        """Takes the next piece. `group`: the new number of each open region, and of each component of the piece."""
        down, across = piece.window
        if self._end != down.start:
            self.end()
        labels, count = ndimage.label(piece.labels > 0)
        component = np.zeros(count + 1, np.int64)
        component[labels] = piece.labels  # a patch lies within one component
        before, known = len(group) - piece.count, len(self._patches)
        regions = np.concatenate([self._regions, before + component[1:] - 1])
        rows = np.where(labels > 0, labels.astype(np.int64) + known, 0)
        grid, left = self._grid(rows, across.start)
        patches = self._continued(grid[:2], count, regions)
        self._trace(grid, down.start, left, patches, regions)
        for held in (self._corners, self._joints):
            held.regroup(group)
        last = np.unique(rows[-1][rows[-1] > 0])
        self._row = np.where(rows[-1] > 0, np.searchsorted(last, rows[-1]) + 1, 0)
        self._left, self._end = across.start, down.stop
        self._patches, self._regions = patches[last - 1], group[regions[last - 1]]

    def end(self) -> None:
        """Ends all outlines at the last row that was traced, because the next row has no pixel inside."""
        if len(self._row):
            grid, left = self._grid(np.zeros((1, 1), np.int64), self._left)
            self._trace(grid, self._end, left, self._patches, self._regions)
        self._row, self._patches, self._regions = np.zeros((3, 0), np.int64)
        self._left = 0

    def close(self, closed: NDArray[np.bool_], kept: NDArray[np.bool_]) -> list[Outline]:
        """The outlines of the regions `kept`, in order. Drops all regions that are `closed`, and numbers the others."""
        corners, regions = self._corners.close(closed, kept)
        joints, _ = self._joints.close(closed, kept)
        if self._corners.count + len(corners) > self._most_points:
            raise too_many_points(self._most_points)
        self._regions = (np.cumsum(~closed) - 1)[self._regions]
        return _outlines(corners, (np.cumsum(kept) - 1)[regions], joints, int(np.count_nonzero(kept)))

    def _grid(self, rows: Integers, left: int) -> tuple[Integers, int]:
        """These rows from column `left` on, with the row before them, and a column outside at each side.

        Returns the grid, and the column of its pixel [1,1].
        """
        first = min(left, self._left) if len(self._row) else left
        width = max(left + rows.shape[1], self._left + len(self._row)) - first
        grid = np.zeros((len(rows) + 1, width + 2), np.int64)
        grid[0, self._left - first + 1 :][: len(self._row)] = self._row
        grid[1:, left - first + 1 :][:, : rows.shape[1]] = rows
        return grid, first

    def _continued(self, seam: Integers, count: int, regions: Integers) -> Integers:
        """The numbers of the patches of the last row, and of `count` patches of the next piece.

        A patch that goes on keeps its number; where several become one, joints note it. `seam`: the last row and the
        next, [2,w]
        """
        known = len(self._patches)
        places = known + count
        above, below = seam[:, (seam > 0).all(0)] - 1
        above, below = np.divmod(np.unique(above * places + below), max(1, places))
        group = _groups(above, below, places)
        patches = np.concatenate([self._patches, self._count + np.arange(count)])
        self._count += count
        first = np.full(places, np.iinfo(np.int64).max)  # of each group
        np.minimum.at(first, group, patches)  # those of the last row are smaller than the new ones
        merged = np.flatnonzero(first[group[:known]] != self._patches)
        joints = np.zeros(len(merged), _JOINT)
        joints["one"], joints["other"] = self._patches[merged], first[group[merged]]
        self._joints.add(joints, regions[merged])
        return first[group]

    def _trace(self, grid: Integers, top: int, left: int, patches: Integers, regions: Integers) -> None:
        """Adds the corners of a grid, see `_corners`; `patches` and `regions` are the numbers of each place."""
        corners = _corners(grid, top, left, max(self._most_points, AT_ONCE))
        own = corners["patch"].copy()
        corners["patch"] = patches[own]
        self._corners.add(corners, regions[own])


def too_many_points(most: int) -> TooManyPoints:
    """The error of outlines that have more points than `most`."""
    return TooManyPoints(
        f"the outlines of the defect regions have more than {most:,} points; raise threshold or min_region_area, "
        "predict a region of interest (roi), or take the mask instead"
    )


def _corners(grid: Integers, top: int, left: int, most: int) -> Records:
    """The corners at the points between the rows and columns of a grid, row by row; at a point, from left to right.

    grid: the place of each pixel's patch, + 1; 0: outside
    top, left: the row and the column of the pixel [1,1]
    most: raises TooManyPoints if there are corners at more points
    """
    inside = (grid > 0).view(np.uint8)
    around = inside[:-1, :-1] + 2 * inside[:-1, 1:] + 4 * inside[1:, :-1] + 8 * inside[1:, 1:]
    places = np.flatnonzero(_TURNS[around])
    if len(places) > most:
        raise too_many_points(most)
    kinds = around.ravel()[places]
    doubled = 1 + _MEETS[kinds]
    places, kinds = np.repeat(places, doubled), np.repeat(kinds, doubled)
    second = np.zeros(len(places), np.bool_)
    second[1:] = places[1:] == places[:-1]
    kinds[kinds == 6] = np.where(second[kinds == 6], UPPER_RIGHT, LOWER_LEFT)
    kinds[kinds == 9] = np.where(second[kinds == 9], LOWER_RIGHT, UPPER_LEFT)
    rows, columns = np.divmod(places, around.shape[1])
    found = np.zeros(len(places), _CORNER)
    found["y"], found["x"], found["kind"] = rows + top, columns + left, kinds
    found["patch"] = grid[rows + _IS_LOWER[kinds], columns + _IS_RIGHT[kinds]] - 1
    return found


def _outlines(corners: Records, regions: Integers, joints: Records, count: int) -> list[Outline]:
    """The outlines of `count` regions, of which all corners are there, in any order."""
    if not count:
        return []
    order = _sorted(regions, corners["y"], corners["x"], _EDGE_TO_RIGHT[corners["kind"]])
    corners, regions, patches = corners[order], regions[order], _joined(corners["patch"][order], joints)
    around, starts = _cycles(_following(corners, regions, patches).tolist())
    points = np.stack([corners["x"], corners["y"]], 1)[around]
    firsts = np.array(around)[starts]
    polygons: dict[int, list[Ring]] = {}
    found: list[list[list[Ring]]] = [[] for _ in range(count)]
    ends = [*starts[1:], len(around)]
    for start, end, region, patch in zip(starts, ends, regions[firsts].tolist(), patches[firsts].tolist(), strict=True):
        if patch not in polygons:  # the first ring of a patch is the outer one, because it has the first point
            polygons[patch] = []
            found[region].append(polygons[patch])
        polygons[patch].append(points[start:end])
    return [tuple(map(tuple, each)) for each in found]


def _sorted(regions: Integers, lines: Integers, places: Integers, second: NDArray[np.bool_]) -> Integers:
    """The order of corners by region, line, place in the line, and then those that are `second` at their place."""
    line, place = lines - lines.min(), places - places.min()
    order = np.argsort((line * (int(place.max()) + 1) + place) * 2 + second, kind="stable")
    found: Integers = order[np.argsort(regions[order], kind="stable")]
    return found


def _joined(patches: Integers, joints: Records) -> Integers:
    """The patches by new numbers, which are equal where joints join them."""
    numbers, places = np.unique(np.concatenate([patches, joints["one"], joints["other"]]), return_inverse=True)
    own, one, other = np.split(places, [len(patches), len(patches) + len(joints)])
    return _groups(one, other, len(numbers))[own]


def _groups(one: Integers, other: Integers, count: int) -> Integers:
    """For each of `count` things, the number of its group: these pairs are in the same group."""
    graph = coo_array((np.ones(len(one), np.int8), (one, other)), (count, count))
    _, found = connected_components(graph, directed=False)
    return found.astype(np.int64)


def _following(corners: Records, regions: Integers, patches: Integers) -> Integers:
    """For each corner the next one of its ring, for corners sorted by region, row, column, and left to right."""
    kinds, numbers = corners["kind"], np.arange(len(corners))
    across = numbers ^ 1  # the other end of the horizontal edge
    order = _sorted(regions, corners["x"], corners["y"], _EDGE_DOWN[kinds])
    down = np.empty_like(across)  # the other end of the vertical edge
    down[order] = order[numbers ^ 1]
    following = np.where(_LEAVES_SIDEWAYS[kinds], across, down)
    # Where two pixels of one patch touch at a point, the ring goes on along the other pixel: it would come back here.
    same = (corners["y"][1:] == corners["y"][:-1]) & (corners["x"][1:] == corners["x"][:-1])
    meet = np.flatnonzero(same & (patches[1:] == patches[:-1]))
    following[meet], following[meet + 1] = following[meet + 1], following[meet]
    return following


def _cycles(following: list[int]) -> tuple[list[int], list[int]]:
    """The elements of a permutation cycle after cycle, each from its first element on; and the places of these."""
    left = bytearray(b"\1") * len(following)
    order: list[int] = []
    starts: list[int] = []
    for first in range(len(following)):
        if left[first]:
            starts.append(len(order))
            at = first
            while left[at]:
                left[at] = 0
                order.append(at)
                at = following[at]
    return order, starts
