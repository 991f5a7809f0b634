"""Streams of rows: pictures that have no end."""

from app.service.streaming.connection import Connection
from app.service.streaming.events import Ended, FoundRegion, Paused, Progress, StreamEvent
from app.service.streaming.options import RowFormat, SampleType, StreamOptions
from app.service.streaming.stream import RowStream, StreamObserver
from app.service.streaming.streams import Known, Streams

__all__ = [
    "Connection",
    "Ended",
    "FoundRegion",
    "Known",
    "Paused",
    "Progress",
    "RowFormat",
    "RowStream",
    "SampleType",
    "StreamEvent",
    "StreamObserver",
    "StreamOptions",
    "Streams",
]
