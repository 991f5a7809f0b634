"""Reads polygons and their properties from GeoJSON (RFC 7946) in pixels of the picture."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from app.errors import InvalidZones
from app.shown import shown
from app.zones.zone import Point, Polygon, Ring, Size

IGNORED = "ignore"
"""Classes and labels that begin like this are ignored; QuPath's class for such areas is `Ignore*`."""


@dataclass(frozen=True, slots=True)
class GivenZone:
    """A zone as a file has it.

    name: empty: it has none
    threshold, pixel_threshold: in the scale of scores; None: not given
    """

    name: str
    polygons: tuple[Polygon, ...]
    ignore: bool = False
    threshold: float | None = None
    pixel_threshold: float | None = None


def from_geojson(document: object) -> tuple[Size | None, list[GivenZone]]:
    """The size of the picture, if the file names it, and the zones. Raises InvalidZones.

    QuPath writes features with or without a FeatureCollection around them.
    """
    features = document
    size = None
    if isinstance(document, dict):
        kind = document.get("type")
        if kind not in ("FeatureCollection", "Feature"):
            raise InvalidZones("the file is neither GeoJSON with features, nor of labelme")
        features = [document] if kind == "Feature" else document.get("features")
        size = _size(document["image"]) if "image" in document else None
    if not isinstance(features, list):
        raise InvalidZones("the file has no list of features; give a FeatureCollection")
    return size, _upright([_zone(feature, number) for number, feature in enumerate(features, 1)])


def _size(value: object) -> Size:
    if isinstance(value, dict):
        height, width = value.get("height"), value.get("width")
        if type(height) is int and type(width) is int and min(height, width) > 0:
            return height, width
    raise InvalidZones("the member `image` needs `width` and `height`, whole numbers of pixels")


def _zone(feature: object, number: int) -> GivenZone:
    if not isinstance(feature, dict) or feature.get("type") != "Feature":
        raise InvalidZones(f"entry {number} of the features is not a Feature")
    geometry, properties = feature.get("geometry"), feature.get("properties") or {}
    if not isinstance(geometry, dict) or not isinstance(properties, dict):
        raise InvalidZones(f"feature {number} needs a geometry and properties")
    kind, coordinates = geometry.get("type"), geometry.get("coordinates")
    if kind not in ("Polygon", "MultiPolygon"):
        raise InvalidZones(f"feature {number} is of the type {shown(kind)}; draw a Polygon or a MultiPolygon")
    polygons = [coordinates] if kind == "Polygon" else _list(coordinates, number)
    found = tuple(tuple(_ring(ring, number) for ring in _list(polygon, number)) for polygon in polygons)
    classification = properties.get("classification")
    measured: Any = properties.get("measurements")
    measured = measured if isinstance(measured, dict) else {}
    name, ignore = properties.get("name") or "", properties.get("ignore", False)
    if not isinstance(name, str) or not isinstance(ignore, bool):
        raise InvalidZones(f"feature {number}: `name` must be a text, and `ignore` true or false")
    if isinstance(classification, dict):
        ignore = ignore or str(classification.get("name", "")).lower().startswith(IGNORED)
    own, pixel = (
        _number(properties.get(key, measured.get(key)), key, number) for key in ("threshold", "pixel_threshold")
    )
    return GivenZone(name, found, ignore, own, pixel)


def _number(value: object, key: str, number: int) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InvalidZones(f"feature {number}: `{key}` must be a number in the scale of scores, such as 0.7")
    return as_float(value)


def _list(value: object, number: int) -> Sequence[object]:
    if not isinstance(value, list):
        raise InvalidZones(f"the coordinates of feature {number} are not nested as those of a Polygon are")
    return value


def _ring(value: object, number: int) -> Ring:
    points = tuple(point_of(each, f"feature {number}") for each in _list(value, number))
    return points[:-1] if len(points) > 1 and points[0] == points[-1] else points


def point_of(value: object, place: str) -> Point:
    """The point (x, y) of a list of numbers. Raises InvalidZones, which names the place."""
    if isinstance(value, list) and len(value) >= 2:
        numbers = value[:2]
        if all(isinstance(each, int | float) and not isinstance(each, bool) for each in numbers):
            return as_float(numbers[0]), as_float(numbers[1])
    raise InvalidZones(f"{place} has a point that is not a pair of numbers: {shown(value)}")


def as_float(value: int | float) -> float:
    """The number, which may have thousands of digits in a hostile file. Raises InvalidZones."""
    try:
        return float(value)
    except OverflowError as error:
        raise InvalidZones("a number of the file is too large") from error


def _upright(zones: list[GivenZone]) -> list[GivenZone]:
    """The zones with y downward: QGIS places a picture without a place on Earth below 0, with y upward."""
    rows = [y for zone in zones for polygon in zone.polygons for ring in polygon for _, y in ring]
    if not rows or max(rows) > 0 or min(rows) == 0:
        return zones
    return [
        replace(zone, polygons=tuple(tuple(tuple((x, -y) for x, y in ring) for ring in each) for each in zone.polygons))
        for zone in zones
    ]
