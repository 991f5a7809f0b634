"""The HTTP API: routes, request and response bodies, and errors as problem details."""

from app.api.create_app import create_app
from app.api.dependencies import Services
from app.api.recording import RequestRecord
from app.api.reload import reload_here
from app.api.replicas import Replicas

__all__ = ["Replicas", "RequestRecord", "Services", "create_app", "reload_here"]
