"""Areas of a picture that do not count, or that have thresholds of their own."""

from app.zones.document import MOST_BYTES, Reading, document_of, read_zones, thresholds_of
from app.zones.lattice import Lattice
from app.zones.raster import Level, counted_points, factors
from app.zones.zone import Point, Polygon, Ring, Zone, Zones

__all__ = [
    "MOST_BYTES",
    "Lattice",
    "Level",
    "Point",
    "Polygon",
    "Reading",
    "Ring",
    "Zone",
    "Zones",
    "counted_points",
    "document_of",
    "factors",
    "read_zones",
    "thresholds_of",
]
