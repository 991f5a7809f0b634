"""Zones as files: GeoJSON (RFC 7946) in pixels of the picture, and labelme."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from math import isfinite

from app.errors import InvalidZones
from app.scoring import Calibration
from app.zones.geojson import GivenZone, from_geojson
from app.zones.labelme import from_labelme
from app.zones.lattice import Lattice
from app.zones.raster import counted_points
from app.zones.zone import MOST_ZONES, Size, Zone, Zones

MOST_BYTES = 2**21
"""The largest file of zones."""
MOST_PROBED = 1024
"""The most points in a row or column at which zones are looked at for whether they leave a part of the picture."""
DECIMALS = 6
"""Of thresholds in files."""


@dataclass(frozen=True, slots=True)
class Reading:
    """How a file of zones is read.

    calibration: that of the model, in whose scale of scores thresholds are: 0.5 is the model's threshold
    sizes: the (height, width) of the model's pictures, as far as known; they help if the file names no size
    ignore: whether areas that say nothing else are ignored; False: they are an error
    """

    calibration: Calibration
    sizes: tuple[Size, ...] = ()
    ignore: bool = False


def read_zones(content: bytes, reading: Reading) -> Zones | None:
    """The zones of a file; None if it has none. Raises InvalidZones."""
    if len(content) > MOST_BYTES:
        raise InvalidZones(f"the file has {len(content):,} bytes, and at most {MOST_BYTES:,} are read")
    try:
        size, given = _given(content)
    except RecursionError as error:  # of the parser, or of a message that repeats a value
        raise InvalidZones("the file is not readable JSON: it is nested too deeply") from error
    if len(given) > MOST_ZONES:
        raise InvalidZones(f"there are {len(given):,} zones; give at most {MOST_ZONES}")
    named = tuple(_named(given, reading))
    if not named:
        return None
    zones = Zones(size or _known_size(reading.sizes), named)
    height, width = (min(edge, MOST_PROBED) for edge in zones.size)
    if not counted_points(zones, Lattice.of_pixels(range(height), range(width), (height, width))):
        raise InvalidZones(
            "the zones ignore the whole picture, so that every picture would be normal; leave a part out"
        )
    return zones


def _given(content: bytes) -> tuple[Size | None, list[GivenZone]]:
    try:
        document: object = json.loads(content)
    except ValueError as error:
        raise InvalidZones(f"the file is not readable JSON: {str(error)[:200]}") from error
    if isinstance(document, dict) and "shapes" in document:
        return from_labelme(document)
    return from_geojson(document)


def _named(given: Iterable[GivenZone], reading: Reading) -> Iterator[Zone]:
    for number, each in enumerate(given, 1):
        name = each.name or f"zone {number}"
        ignored = each.ignore or (reading.ignore and each.threshold is None and each.pixel_threshold is None)
        if each.ignore and (each.threshold is not None or each.pixel_threshold is not None):
            raise InvalidZones(f"the zone {name!r} is ignored, and has a threshold as well; give one of both")
        if ignored:
            yield Zone(name, each.polygons)
        elif each.threshold is None:
            raise InvalidZones(
                f"the zone {name!r} says neither that it is ignored nor its threshold; add the property `ignore` "
                "(true) or `threshold` (in the scale of scores, 0.5 is the model's threshold)"
            )
        else:
            pixel = each.threshold if each.pixel_threshold is None else each.pixel_threshold
            multiples = (
                _multiple(name, threshold, reading.calibration, level)
                for threshold, level in ((each.threshold, "image"), (pixel, "pixel"))
            )
            yield Zone(name, each.polygons, *multiples)


def document_of(zones: Zones | None, calibration: Calibration) -> dict[str, object]:
    """The zones as GeoJSON, of which `read_zones` makes the same zones again."""
    features = [] if zones is None else [_feature(zone, calibration) for zone in zones.zones]
    size = {} if zones is None else {"image": {"width": zones.size[1], "height": zones.size[0]}}
    return {"type": "FeatureCollection", **size, "features": features}


def _feature(zone: Zone, calibration: Calibration) -> dict[str, object]:
    polygons = [[[*map(list, ring), list(ring[0])] for ring in polygon] for polygon in zone.polygons]
    single = len(polygons) == 1
    properties: dict[str, object] = {"name": zone.name}
    thresholds = thresholds_of(zone, calibration)
    if thresholds is None:
        properties["ignore"] = True
    else:
        image, pixel = thresholds
        properties["threshold"] = image
        if pixel != image:
            properties["pixel_threshold"] = pixel
    return {
        "type": "Feature",
        "geometry": {
            "type": "Polygon" if single else "MultiPolygon",
            "coordinates": polygons[0] if single else polygons,
        },
        "properties": properties,
    }


def thresholds_of(zone: Zone, calibration: Calibration) -> tuple[float, float] | None:
    """The thresholds of scores and of map values in the scale of scores; None: the area is ignored."""
    if zone.image_multiple is None or zone.pixel_multiple is None:
        return None
    return (
        _threshold(zone.image_multiple, calibration, "image"),
        _threshold(zone.pixel_multiple, calibration, "pixel"),
    )


def _multiple(name: str, threshold: float, calibration: Calibration, level: str) -> float:
    """A threshold in the scale of scores, as a multiple of the model's raw threshold."""
    raw, span = _scale(calibration, level)
    if not isfinite(threshold):
        raise InvalidZones(f"the threshold of the zone {name!r} is not a finite number")
    if not raw > 0:
        raise InvalidZones(f"the model has the raw threshold {raw:.4g}; calibrate it first: tessera calibrate")
    return 1 + (threshold - 0.5) * span / raw


def _threshold(multiple: float, calibration: Calibration, level: str) -> float:
    raw, span = _scale(calibration, level)
    return round(0.5 + (multiple - 1) * raw / span, DECIMALS)


def _scale(calibration: Calibration, level: str) -> tuple[float, float]:
    """The raw threshold, and the difference of raw values that is 1 in the scale of scores."""
    if level == "image":
        return calibration.image_threshold, calibration.image_max - calibration.image_min
    return calibration.pixel_threshold, calibration.pixel_max - calibration.pixel_min


def _known_size(sizes: tuple[Size, ...]) -> Size:
    if len(sizes) == 1:
        return sizes[0]
    known = "; the model was trained on pictures of several sizes" if sizes else ""
    raise InvalidZones(
        'the file does not say in the pixels of which picture it is drawn; add the member "image": {"width": ..., '
        f'"height": ...}}{known}'
    )
