"""Tells events, such as verdicts, to other programs, through queues that survive the process."""

from app.events.address import Address, parse_addresses, sinks_of
from app.events.delivery import DeliveryObserver
from app.events.event import Event, new_id, now
from app.events.outlets import Outlets, Waiting
from app.events.sink import Sink

__all__ = [
    "Address",
    "DeliveryObserver",
    "Event",
    "Outlets",
    "Sink",
    "Waiting",
    "new_id",
    "now",
    "parse_addresses",
    "sinks_of",
]
