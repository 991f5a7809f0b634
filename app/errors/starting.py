"""Errors of the start of a server."""

from app.errors.base import TesseraError


class CannotServe(TesseraError):
    """A server, or a replica on a cluster, cannot start with its settings."""

    code = "cannot_serve"
    status = 500
