"""Which points of a lattice belong to which zone.

A point belongs to an area if the number of edges at its left, or through it, is odd. So each point belongs to one of
two areas that share an edge, and the points of a picture belong to the same areas however it is divided.
"""

from collections.abc import Iterable
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from app.zones.lattice import Lattice
from app.zones.zone import Zone, Zones, columns_of, edges_of

Level = Literal["image", "pixel"]
"""The thresholds that are meant: those of scores, or those of map values."""
Factors = NDArray[np.float32]
"""[h,w]: what the value at each point is multiplied by, so that the model's threshold applies to it; 0: ignored."""

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]


def factors(zones: Zones, lattice: Lattice, level: Level) -> Factors | None:
    """The factors of the points; None if no point is in a zone."""
    found: Factors | None = None
    for zone in zones.rising:
        multiple = zone.image_multiple if level == "image" else zone.pixel_multiple
        area = _area(zone, zones, lattice)
        if area is None:
            continue
        if found is None:
            found = np.ones(lattice.size, np.float32)
        window, inside = area
        found[window][inside] = 0 if multiple is None else 1 / multiple
    return found


@lru_cache(maxsize=256)
def counted_points(zones: Zones, lattice: Lattice) -> int:
    """The number of the points that are not ignored."""
    rows, starts, stops = _spans((zone for zone in zones.zones if zone.ignored), zones, lattice)
    # Each span is a step up and a step down; where the sum of the steps so far is not 0, the points are ignored.
    places, steps = np.concatenate([starts, stops]), np.repeat([1, -1], len(starts))
    order = np.lexsort((-steps, places, np.concatenate([rows, rows])))
    places, depth = places[order], np.cumsum(steps[order])
    ignored = int(((places[1:] - places[:-1]) * (depth[:-1] > 0)).sum())
    return lattice.size[0] * lattice.size[1] - ignored


def _area(zone: Zone, zones: Zones, lattice: Lattice) -> tuple[tuple[slice, slice], NDArray[np.bool_]] | None:
    """The window of the lattice that a zone lies in, and which points in it are in the zone; None: no point is."""
    rows, columns = _crossings(zone, zones, lattice)
    if not len(rows) or columns.min() == columns.max():
        return None
    top, left, right = int(rows.min()), int(columns.min()), int(columns.max())
    height = int(rows.max()) + 1 - top
    flips = np.zeros((height, right + 1 - left), np.int8)
    np.add.at(flips, (rows - top, columns - left), 1)
    odd = np.cumsum(flips[:, :-1], 1, dtype=np.int8) & 1  # the sum wraps, and stays odd
    return (slice(top, top + height), slice(left, right)), odd.astype(np.bool_)


def _spans(areas: Iterable[Zone], zones: Zones, lattice: Lattice) -> tuple[Integers, Integers, Integers]:
    """The rows, the first columns and the ends of the runs of points that are in each of these areas."""
    found = [np.zeros((3, 0), np.int64)]
    for zone in areas:
        rows, columns = _crossings(zone, zones, lattice)
        order = np.lexsort((columns, rows))
        rows, columns = rows[order], columns[order]  # an even number in each row
        found.append(np.stack([rows[::2], columns[::2], columns[1::2]]))
    rows, starts, stops = np.concatenate(found, 1)
    return rows, starts, stops


def _crossings(zone: Zone, zones: Zones, lattice: Lattice) -> tuple[Integers, Integers]:
    """Where the outline crosses the rows of a lattice: the numbers of the rows, and of the first points after it.

    Numbers are counted from the lattice's first row and column; columns after its last one are that of its end.
    """
    height, width = zones.size
    down, across = height * lattice.pitch[0], width * lattice.pitch[1]  # between points, in pixels of the zones
    whole = columns_of(zone, height)
    if whole is not None:  # all rows, also those of a stream, of which the height is not known
        rows = np.repeat(np.arange(lattice.size[0]), 2)
        return rows, _columns(np.tile(np.array(whole), lattice.size[0]), across, width, lattice.columns)
    (x1, y1), (x2, y2) = edges_of(zone)
    low, high = np.minimum(y1, y2), np.maximum(y1, y2)
    first = _first_point(low, down, height).clip(lattice.rows.start, lattice.rows.stop)
    counts = _first_point(high, down, height).clip(lattice.rows.start, lattice.rows.stop) - first
    edges = np.repeat(np.arange(len(counts)), counts)  # that of each crossing
    rows = first[edges] + np.arange(len(edges)) - (np.cumsum(counts) - counts)[edges]
    y = _centres(rows, down, height)
    x = x1[edges] + (y - y1[edges]) * ((x2 - x1)[edges] / (y2 - y1)[edges])
    return rows - lattice.rows.start, _columns(x, across, width, lattice.columns)


def _columns(x: Floats, across: float, width: int, columns: range) -> Integers:
    found: Integers = _first_point(x, across, width).clip(columns.start, columns.stop) - columns.start
    return found


def _first_point(places: Floats, pitch: float, edge: int) -> Integers:
    """The number of the first point of a line that is not before a place."""
    found: Integers = np.ceil(places / pitch - 0.5).astype(np.int64)
    found += ((found + 0.5) * pitch >= edge) & (_centres(found, pitch, edge) < places)
    return found


def _centres(points: Integers, pitch: float, edge: int) -> Floats:
    """The places of points; a cell with its centre beyond the picture has its point in the middle of what it shows.

    So has a cell with its centre on the edge: the point would be in no zone that ends there.
    """
    centres: Floats = (points.astype(np.float64) + 0.5) * pitch
    return np.where(centres >= edge, (points * pitch + edge) / 2, centres)
