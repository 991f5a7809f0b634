"""The threads that deliver the events of one sink."""

import logging
import random
from collections.abc import Callable
from math import inf
from threading import Condition, Thread
from time import monotonic
from typing import Protocol

from app.errors import NotDelivered
from app.events.outbox import Key, Outbox
from app.events.sink import Sink
from app.events.window import Window
from app.shown import bounded

SAID_EVERY_S = 60.0
"""The log says at most this often that a sink takes no event, and once after each such line that it takes events."""

_log = logging.getLogger("tessera.events")


class DeliveryObserver(Protocol):
    """Counts what happens to events. Methods may be called from any thread."""

    def event_delivered(self, sink: str) -> None:
        """The sink took an event."""

    def delivery_failed(self, sink: str) -> None:
        """An attempt to deliver an event failed."""

    def events_dropped(self, sink: str, reason: str, count: int) -> None:
        """Events are lost for the sink: `full` (the oldest of a full queue), `disk`, or `refused`."""


class Delivery:
    """Delivers the events of an outbox, the oldest first, until each one is delivered."""

    def __init__(
        self, sink: Sink, outbox: Outbox, observer: DeliveryObserver, clock: Callable[[], float] = monotonic
    ) -> None:
        self.sink, self.outbox = sink, outbox
        self._observer, self._clock = observer, clock
        self._window = Window(random.random)
        self._changed = Condition()
        self._stopped = False
        self._said_s = -inf  # when the log said last that the sink fails
        self._failures = 0  # attempts that failed since the log said so
        self._fails = False  # as the last line of the log says
        self._threads = [
            Thread(target=self._work, name=f"tessera-{sink.name}-{number}", daemon=True)
            for number in range(sink.parallel)
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def wake(self) -> None:
        """Says that the outbox has new events."""
        with self._changed:
            self._changed.notify()

    def stop(self) -> None:
        """Begins no further event."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()

    def join(self, wait_s: float) -> None:
        """Waits until the events in flight have ended, at most so long."""
        deadline_s = monotonic() + wait_s
        for thread in (each for each in self._threads if each.ident is not None):
            thread.join(max(deadline_s - monotonic(), 0.0))

    def _work(self) -> None:
        while (key := self._next()) is not None:
            try:
                event = self.outbox.read(key)
                if event is not None:
                    self.sink.send(event)
            except NotDelivered as error:
                self._failed(key, str(error), error.retry_after_s)
            except Exception as error:  # a fault of a sink must not end its delivery
                self._failed(key, f"unexpected {type(error).__name__}: {error}", None)
            else:
                self._delivered(key, there=event is not None)
        self.sink.close()

    def _next(self) -> Key | None:
        """The next event to send, when there is one; None after `stop`."""
        with self._changed:
            while not self._stopped:
                if self._window.room:
                    for key in self.outbox.keys(self._window.room):
                        self._window.add(key)
                found, now_s = self._window.next(self._clock()), self._clock()
                if isinstance(found, Key):
                    self._changed.notify()  # another thread may take the next one
                    return found
                self._changed.wait(None if found is None else max(found - now_s, 0.001))
            return None

    def _delivered(self, key: Key, *, there: bool) -> None:
        self.outbox.remove(key)
        with self._changed:
            self._window.done(key)
            self._changed.notify()
            works_again, self._fails = self._fails, False
        if there:
            self._observer.event_delivered(self.sink.name)
        if works_again:
            _log.info("%s takes events again; %d events wait", self.sink.name, self.outbox.count)

    def _failed(self, key: Key, reason: str, asked_s: float | None) -> None:
        with self._changed:
            now_s = self._clock()
            self._window.failed(key, now_s, asked_s)
            self._failures += 1
            failures, due = self._failures, now_s >= self._said_s + SAID_EVERY_S
            if due:
                self._said_s, self._failures, self._fails = now_s, 0, True
            self._changed.notify()
        self._observer.delivery_failed(self.sink.name)
        if due:
            text = "%s takes no event: %s; %d attempts failed since the last such line, %d events wait for another"
            _log.warning(text, self.sink.name, bounded(reason), failures, self.outbox.count)
