"""Zones: named polygons, and what counts in them."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from app.errors import InvalidZones
from app.shown import shown
from app.zones.crossing import find_crossing

Point = tuple[float, float]
"""(x, y) in pixels, y downward; (0, 0) is the top left corner of the picture, and not the centre of a pixel."""
Ring = tuple[Point, ...]
"""The points of a closed line in order; the first one is not repeated at the end."""
Polygon = tuple[Ring, ...]
"""A ring, and the rings of its holes."""
Size = tuple[int, int]
Floats = NDArray[np.float64]

MOST_ZONES = 100
MOST_POINTS = 1000
"""The largest number of points of one zone."""
MOST_POINTS_TOGETHER = 10_000
MOST_NAME = 100
"""The largest number of characters of a name."""
MOST_EDGE = 2**24
"""The longest edge of a picture, in pixels."""
LEAST_MULTIPLE, MOST_MULTIPLE = 0.01, 100.0
"""The smallest and the largest threshold of a zone, as multiples of the model's threshold."""


@dataclass(frozen=True, slots=True, eq=False)
class Zone:
    """An area of the picture. Compared by identity, so that caches are cheap.

    polygons: the area; what an odd number of their rings surround belongs to it
    image_multiple: the zone's threshold of scores, as a multiple of the model's; None: the area is ignored
    pixel_multiple: the zone's threshold of map values, likewise; None if and only if the area is ignored
    """

    name: str
    polygons: tuple[Polygon, ...]
    image_multiple: float | None = None
    pixel_multiple: float | None = None

    @property
    def ignored(self) -> bool:
        """Whether nothing in the area counts."""
        return self.pixel_multiple is None

    @property
    def rings(self) -> tuple[Ring, ...]:
        """All rings."""
        return tuple(ring for polygon in self.polygons for ring in polygon)

    @property
    def points(self) -> int:
        """The number of points of all rings."""
        return sum(map(len, self.rings))


@dataclass(frozen=True, slots=True, eq=False)
class Zones:
    """The zones of a model.

    Where areas overlap, ignored ones come before all others, and of the others the later one in `zones` decides.

    size: the (height, width) of the pictures in whose pixels the rings are. Rings are scaled to pictures of other sizes
    zones: at least one

    Raises InvalidZones unless all zones have different names, and rings that lie within the picture, surround an area
    and do not cross themselves or each other. Compared by identity, so that caches are cheap.
    """

    size: Size
    zones: tuple[Zone, ...]

    def __post_init__(self) -> None:
        if not 1 <= min(self.size) <= max(self.size) <= MOST_EDGE:
            raise InvalidZones(
                f"the picture of the zones has {shown(self.size[1])} x {shown(self.size[0])} pixels (width x "
                f"height); edges have 1 to {MOST_EDGE:,}"
            )
        if not 1 <= len(self.zones) <= MOST_ZONES:
            raise InvalidZones(f"there are {len(self.zones)} zones; give 1 to {MOST_ZONES}")
        names = [zone.name for zone in self.zones]
        repeated = next((name for number, name in enumerate(names) if name in names[:number]), None)
        if repeated is not None:
            raise InvalidZones(f"two zones are named {repeated!r}; give each a name of its own")
        points = sum(zone.points for zone in self.zones)
        if points > MOST_POINTS_TOGETHER:
            raise InvalidZones(
                f"the zones have {points:,} points together, and at most {MOST_POINTS_TOGETHER:,} can be"
            )
        for zone in self.zones:
            _require_valid(zone, self.size)

    @property
    def rising(self) -> tuple[Zone, ...]:
        """The zones by rising precedence: of those that contain a point, the last one decides."""
        return tuple(sorted(self.zones, key=lambda zone: zone.ignored))  # stable

    @property
    def needing_height(self) -> Zone | None:
        """The first zone that is not a rectangle from the top of the picture to its bottom; None: all are."""
        return next((zone for zone in self.zones if columns_of(zone, self.size[0]) is None), None)

    def at(self, pixels: Sequence[Size], size: Size) -> list[Zone | None]:
        """The zone that decides at each of these pixels, (row, column), of a picture of `size`, (height, width).

        None: the pixel is in no zone.
        """
        places = (np.array(pixels, np.float64).reshape(-1, 2) + 0.5) * np.divide(self.size, size)
        found: list[Zone | None] = [None] * len(places)
        for zone in self.rising:
            for number in np.flatnonzero(_contains(zone, places[:, 1], places[:, 0])):
                found[number] = zone
        return found

    def names(self, pixels: Sequence[Size], size: Size) -> list[str | None]:
        """The names of the zones at these pixels, see `at`."""
        return [None if zone is None else zone.name for zone in self.at(pixels, size)]


def columns_of(zone: Zone, height: int) -> tuple[float, float] | None:
    """The first and the last x of a zone that is a rectangle over the whole height; None: it is another area."""
    if zone.points != 4:
        return None
    corners = {point for ring in zone.rings for point in ring}
    xs, ys = {each for each, _ in corners}, {each for _, each in corners}
    if len(corners) != 4 or len(xs) != 2 or ys != {0, height}:
        return None
    return min(xs), max(xs)


def _require_valid(zone: Zone, size: Size) -> None:
    named, (height, width) = f"the zone {zone.name!r}", size
    if not zone.name.strip() or len(zone.name) > MOST_NAME:
        raise InvalidZones(f"the name of a zone has {len(zone.name):,} characters; use 1 to {MOST_NAME}, not all blank")
    if not zone.name.isprintable():
        raise InvalidZones(
            f"the name {zone.name!r} has characters that cannot be shown; use letters, digits and spaces"
        )
    if zone.points > MOST_POINTS:
        raise InvalidZones(f"{named} has {zone.points:,} points, and at most {MOST_POINTS:,} can be; draw it coarser")
    for multiple in (zone.image_multiple, zone.pixel_multiple):
        if (multiple is None) is not zone.ignored:
            raise InvalidZones(f"{named} needs a threshold of scores and one of pixels, or none of them")
        if multiple is not None and not LEAST_MULTIPLE <= multiple <= MOST_MULTIPLE:
            raise InvalidZones(
                f"the threshold of {named[4:]} is {multiple:.4g} times that of the model; use {LEAST_MULTIPLE:g} to "
                f"{MOST_MULTIPLE:g} times, or ignore the area"
            )
    if not zone.polygons or not all(zone.polygons):
        raise InvalidZones(f"{named} has no polygon, or one without a ring")
    for ring in zone.rings:
        for x, y in ring:
            if not (0 <= x <= width and 0 <= y <= height):
                raise InvalidZones(
                    f"{named} has the point ({x:g}, {y:g}) outside the picture, which has {width} x {height} pixels "
                    "(width x height)"
                )
    crossing = find_crossing(*edges_of(zone))
    if crossing is not None:
        raise InvalidZones(
            f"the outline of {named} crosses itself near ({crossing[0]:.1f}, {crossing[1]:.1f}); draw it without a "
            "crossing"
        )
    for ring in zone.rings:  # after the crossing, which can make the area 0
        if len(set(ring)) < 3 or not abs(_area(ring)) > 0:
            raise InvalidZones(f"{named} surrounds no area; a polygon needs three points that are not on one line")


def _area(ring: Ring) -> float:
    return sum(x * below - right * y for (x, y), (right, below) in zip(ring, (*ring[1:], ring[0]), strict=True)) / 2


def _contains(zone: Zone, x: Floats, y: Floats) -> NDArray[np.bool_]:
    """Whether the zone contains each of the points [n].

    By the rule of app.zones.raster: the number of edges at the left of the point, or through it, is odd.
    """
    (x1, y1), (x2, y2) = edges_of(zone)
    inside: NDArray[np.bool_] = (x1.min() <= x) & (x <= x1.max()) & (y1.min() <= y) & (y <= y1.max())
    for number in np.flatnonzero(inside):
        crossed = (y1 <= y[number]) != (y2 <= y[number])
        slope = (x2[crossed] - x1[crossed]) / (y2[crossed] - y1[crossed])
        inside[number] = np.count_nonzero(x1[crossed] + (y[number] - y1[crossed]) * slope <= x[number]) % 2
    return inside


@lru_cache(maxsize=4 * MOST_ZONES)
def edges_of(zone: Zone) -> tuple[Floats, Floats]:
    """The first and the second points of all edges of a zone: [2,n] each, x and y."""
    starts = [point for ring in zone.rings for point in ring]
    ends = [point for ring in zone.rings for point in (*ring[1:], ring[0])]
    return np.array(starts, np.float64).T, np.array(ends, np.float64).T
