"""The HTTP API: routes, request and response bodies, and errors as problem details."""

from app.api.create_app import create_app
from app.api.dependencies import Services
from app.api.recording import RequestRecord

__all__ = ["RequestRecord", "Services", "create_app"]
