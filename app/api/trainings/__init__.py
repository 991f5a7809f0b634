"""First models: trainings on pictures that a client sends, which outlive their request."""

from app.api.trainings import create, events, manage

RESOURCES = (create, manage, events)

__all__ = ["RESOURCES"]
