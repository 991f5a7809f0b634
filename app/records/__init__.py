"""The record of verdicts: one line for each picture, for a plant's own quality system."""

from app.records.form import MOST_REGIONS, Line
from app.records.record import VerdictRecord

__all__ = ["MOST_REGIONS", "Line", "VerdictRecord"]
