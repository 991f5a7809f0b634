"""Kept pictures and their reviews."""

from app.api.pictures import manage, review

RESOURCES = (manage, review)

__all__ = ["RESOURCES"]
