"""Errors of zones."""

from app.errors.base import TesseraError


class InvalidZones(TesseraError):
    """Zones of a picture that cannot be used."""

    code = "invalid_zones"
    status = 422
    when = (
        "the body is neither GeoJSON with polygons nor of labelme; or a polygon crosses itself, reaches out of the "
        "picture, has too many points, or says neither `ignore` nor `threshold`"
    )
    example = (
        "the zone 'belt' has the point (1300, 40) outside the picture, which has 1280 x 960 pixels (width x height)"
    )


class ZonesConflict(TesseraError):
    """The zones have changed since they were read."""

    code = "zones_conflict"
    status = 412
    when = (
        "the tag in `If-Match` is not that of the version whose zones are replaced, or another version was written "
        "meanwhile"
    )
    example = "the tag is not that of version 3 of 'demo', whose zones are there now; read them again, then change them"


class ZonesRefused(TesseraError):
    """No version with these zones can be written."""

    code = "zones_refused"
    status = 409
    when = "zones are set, and the repository is a bucket or cannot be written, or files of the version were changed"
    example = (
        "the model repository cannot be written (Read-only file system); make it writable for the server, or use "
        "`tessera zones` where it is"
    )
