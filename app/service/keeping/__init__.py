"""Keeps pictures of the requests that the operator wants kept, for people to review."""

from app.service.keeping.keeper import Keeper, KeepObserver
from app.service.keeping.keeping import Keeping
from app.service.keeping.rules import Rules, parse_rules

__all__ = ["KeepObserver", "Keeper", "Keeping", "Rules", "parse_rules"]
