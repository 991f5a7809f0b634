"""Reads polygons and rectangles of labelme (https://github.com/wkentaro/labelme), which have labels and no numbers."""

from app.errors import InvalidZones
from app.shown import shown
from app.zones.geojson import IGNORED, GivenZone, point_of
from app.zones.zone import Ring, Size


def from_labelme(document: dict[str, object]) -> tuple[Size, list[GivenZone]]:
    """The size of the picture, and the zones; labels that begin with `ignore` are of ignored areas.

    Raises InvalidZones.
    """
    height, width, shapes = (document.get(key) for key in ("imageHeight", "imageWidth", "shapes"))
    if type(height) is not int or type(width) is not int or not isinstance(shapes, list):
        raise InvalidZones("the file of labelme needs `imageHeight`, `imageWidth` and a list of `shapes`")
    return (height, width), [_zone(shape, number) for number, shape in enumerate(shapes, 1)]


def _zone(shape: object, number: int) -> GivenZone:
    kind = shape.get("shape_type") if isinstance(shape, dict) else None
    points = shape.get("points") if isinstance(shape, dict) else None
    if not isinstance(shape, dict) or kind not in ("polygon", "rectangle") or not isinstance(points, list):
        raise InvalidZones(f"shape {number} is of the type {shown(kind)}; draw a polygon or a rectangle")
    ring: Ring = tuple(point_of(point, f"shape {number}") for point in points)
    if kind == "rectangle":
        if len(ring) != 2:
            raise InvalidZones(f"shape {number} is a rectangle, and has {len(ring)} points instead of 2")
        (left, top), (right, bottom) = ring
        ring = ((left, top), (right, top), (right, bottom), (left, bottom))
    label = str(shape.get("label") or "")
    return GivenZone(f"{label} {number}".strip(), ((ring,),), label.lower().startswith(IGNORED))
