"""All sinks of a process, with their queues."""

import logging
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, InvalidStateError
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from threading import Condition, Thread
from time import monotonic, sleep

from app.errors import InvalidSink
from app.events.delivery import Delivery, DeliveryObserver
from app.events.event import Event
from app.events.outbox import FAULTS, Outbox
from app.events.queues import ENDING, leave_no_queue, remove_queues
from app.events.sink import Sink
from app.files import locked

HANDED = 1000
"""The events that wait to be stored. Beyond it the oldest is dropped: the disk hangs."""
FLUSH_S = 1.0
"""How often stored events are written to the disk: a loss of power costs the events of this time."""
END_S = 0.5
"""How long deliveries in flight may take when the process ends."""
SAID_EVERY_S = 60.0

_log = logging.getLogger("tessera.events")


@dataclass(frozen=True, slots=True)
class Waiting:
    """The number of events that wait for a sink, and the age of the oldest in seconds; 0: none waits."""

    sink: str
    count: int
    age_s: float


class Outlets:
    """Stores each event in the queue of every sink, and has it delivered. Nobody waits for a sink.

    sinks: where events go, by the names of their queues
    folder: holds the queues, one file for each sink; no other process may use it
    most_bytes: the limit of each queue

    Empty queues of sinks that are no longer given are removed from the folder; others are named in the log. Raises
    InvalidSink if the folder cannot be used. `tell` may be called from any thread, from `start` to `stop`.
    """

    def __init__(self, sinks: Mapping[str, Sink], folder: Path, most_bytes: int, observer: DeliveryObserver) -> None:
        self._observer = observer
        self._stack = ExitStack()
        self._handed: deque[tuple[Event, Future[None]]] = deque()
        self._changed = Condition()
        self._stopped = False
        self._said_s = float("-inf")
        self._writer = Thread(target=self._write, name="tessera-events", daemon=True)
        self._deliveries = [
            Delivery(sink, outbox, observer)
            for sink, outbox in zip(sinks.values(), self._outboxes(list(sinks), folder, most_bytes), strict=True)
        ]

    def start(self) -> None:
        if self._deliveries:
            self._writer.start()
        for delivery in self._deliveries:
            delivery.start()

    @property
    def wanted(self) -> bool:
        """Whether there is any sink."""
        return bool(self._deliveries)

    def tell(self, event: Event) -> Future[None]:
        """Hands over an event; returns at once. The result is there when the event is stored for each sink."""
        stored: Future[None] = Future()
        if not self._deliveries:
            stored.set_result(None)
            return stored
        dropped = None
        with self._changed:
            if len(self._handed) >= HANDED:
                dropped = self._handed.popleft()
            self._handed.append((event, stored))
            self._changed.notify()
        if dropped is not None:
            self._finish(dropped[1])
            for delivery in self._deliveries:
                self._dropped(delivery, "disk", 1)
        return stored

    def waiting(self) -> Iterator[Waiting]:
        """What waits for each sink."""
        for delivery in self._deliveries:
            yield Waiting(delivery.sink.name, delivery.outbox.count, _age_s(delivery.outbox.oldest_time()))

    def wait_until_delivered(self, most_s: float) -> None:
        """Waits until no event waits for a sink, at most so long."""
        deadline_s = monotonic() + most_s
        while any(delivery.outbox.count for delivery in self._deliveries) and monotonic() < deadline_s:
            sleep(0.05)

    def stop(self) -> None:
        """Stores what was handed over, and ends the deliveries. What was not delivered stays in the queues."""
        with self._changed:
            self._stopped = True
            self._changed.notify()
        for delivery in self._deliveries:
            delivery.stop()
        deadline_s = monotonic() + END_S
        if self._writer.ident is not None:
            self._writer.join(END_S)
        for delivery in self._deliveries:
            delivery.join(max(deadline_s - monotonic(), 0.0))
        if not self._writer.is_alive():
            for delivery in self._deliveries:
                delivery.outbox.flush()
                delivery.outbox.close()
        self._stack.close()

    def _outboxes(self, names: Sequence[str], folder: Path, most_bytes: int) -> list[Outbox]:
        if not names:
            leave_no_queue(folder)
            return []
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._stack.enter_context(locked(folder, wait=False))
            outboxes = [Outbox(folder / f"{name}{ENDING}", most_bytes) for name in names]
        except BlockingIOError as error:
            raise InvalidSink(f"another process uses the spool folder {folder}; give each process its own") from error
        except FAULTS as error:
            raise InvalidSink(f"the spool folder {folder} cannot be used: {error}; give one on a local disk") from error
        for outbox in outboxes:
            if outbox.set_aside is not None:
                _log.error("a queue was damaged, and is set aside as %s; its events are not sent", outbox.set_aside)
        remove_queues(folder, names)
        return outboxes

    def _write(self) -> None:
        """Stores events together, and flushes the queues from time to time."""
        flushed_s, dirty = monotonic(), False
        while True:
            with self._changed:
                if not self._handed and not self._stopped:
                    self._changed.wait(FLUSH_S if dirty else None)
                batch, stopped = list(self._handed), self._stopped
                self._handed.clear()
            if batch:
                self._store([event for event, _ in batch])
                for _, stored in batch:
                    self._finish(stored)
                dirty = True
            if dirty and monotonic() >= flushed_s + FLUSH_S:
                for delivery in self._deliveries:
                    delivery.outbox.flush()
                flushed_s, dirty = monotonic(), False
            if stopped and not batch:
                return

    def _store(self, events: Sequence[Event]) -> None:
        for delivery in self._deliveries:
            outbox = delivery.outbox
            dropped = outbox.put(events)
            if outbox.fault is not None:
                self._say("the spool of %s fails: %s; events are kept in memory", delivery.sink.name, outbox.fault)
            if dropped:
                self._dropped(delivery, "full" if outbox.fault is None else "disk", dropped)
            delivery.wake()

    def _dropped(self, delivery: Delivery, reason: str, count: int) -> None:
        self._observer.events_dropped(delivery.sink.name, reason, count)
        self._say("the queue of %s is full: the oldest events are dropped (%s)", delivery.sink.name, reason)

    def _say(self, text: str, *values: object) -> None:
        if monotonic() >= self._said_s + SAID_EVERY_S:
            self._said_s = monotonic()
            _log.error(text, *values)

    def _finish(self, stored: "Future[None]") -> None:
        with suppress(InvalidStateError):  # whoever waited has gone
            stored.set_result(None)


def _age_s(time: str | None) -> float:
    return 0.0 if time is None else max((datetime.now(UTC) - datetime.fromisoformat(time)).total_seconds(), 0.0)
