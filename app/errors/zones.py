"""Errors of zones."""

from app.errors.base import TesseraError


class InvalidZones(TesseraError):
    """Zones of a picture that cannot be used."""

    code = "invalid_zones"
    status = 422
