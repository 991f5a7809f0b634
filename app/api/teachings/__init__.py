"""Teachings: reviewed pictures become a new version of a model, which is proved before it serves."""

from app.api.teachings import create, decide, events, manage

RESOURCES = (create, manage, events, decide)

__all__ = ["RESOURCES"]
