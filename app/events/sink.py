"""Where events go."""

from typing import Protocol

from app.events.event import Event

TIMEOUT_S = 10.0
"""How long the delivery of one event may take."""


class Sink(Protocol):
    """A receiver of events. A new kind of sink implements this, and gets its entry in `KINDS` of app/events/address.py.

    name: names the sink in logs and metrics; without secrets
    parallel: the number of threads that call `send` at the same time
    """

    name: str
    parallel: int

    def send(self, event: Event) -> None:
        """Delivers the event, or raises NotDelivered. An event may be sent again although it arrived."""

    def close(self) -> None:
        """Ends connections of the calling thread."""
