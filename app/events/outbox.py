"""The queue of one sink: on the disk, or in memory while the disk takes nothing."""

import sqlite3
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

from app.errors import NotDelivered
from app.events.event import Event
from app.events.spool import Spool

MEMORY_BYTES = 16 * 2**20
"""The events that are kept in memory while the disk takes nothing, for each sink; about 10,000 verdicts."""

FAULTS = (sqlite3.Error, OSError)


@dataclass(frozen=True, slots=True)
class Key:
    """The place of an event: its number, on the disk or in memory."""

    number: int
    in_memory: bool = False


class Outbox:
    """Every method may be called from any thread, and none raises an error of the disk."""

    def __init__(self, path: Path, most_bytes: int) -> None:
        self._disk, self._memory = Spool(path, most_bytes), Spool(None, min(MEMORY_BYTES, most_bytes))
        self._lock = Lock()
        self._read = {False: 0, True: 0}  # the highest number that was returned, by `in_memory`
        self._delivered: set[int] = set()  # numbers that the disk does not let go of
        self.fault: str | None = None

    @property
    def set_aside(self) -> Path | None:
        """Where the file of an earlier process is that was no database; None: there was none."""
        return self._disk.set_aside

    @property
    def count(self) -> int:
        """The number of events that wait."""
        return self._disk.count + self._memory.count - len(self._delivered)

    def put(self, events: Sequence[Event]) -> int:
        """Appends events; returns how many of the oldest were dropped for them. `fault` says why the disk took none."""
        try:
            dropped = self._disk.put(events)
        except FAULTS as error:
            self.fault = str(error)
            return self._memory.put(events)
        self.fault = None
        return dropped

    def keys(self, most: int) -> list[Key]:
        """The next events that were not returned before, the oldest first."""
        with self._lock:
            keys = [*self._keys(self._disk, most, in_memory=False), *self._keys(self._memory, most, in_memory=True)]
        return keys

    def read(self, key: Key) -> Event | None:
        """The event; None if it was dropped. Raises NotDelivered if it cannot be read now."""
        try:
            return (self._memory if key.in_memory else self._disk).read(key.number)
        except FAULTS as error:
            raise NotDelivered(f"the spool cannot be read: {error}") from error

    def remove(self, key: Key) -> None:
        """Removes an event that was delivered. If the disk takes no change, it is removed with a later one."""
        if key.in_memory:
            self._memory.remove([key.number])
            return
        with self._lock:
            self._delivered.add(key.number)
            try:
                self._disk.remove(self._delivered)
            except FAULTS as error:
                self.fault = str(error)
            else:
                self._delivered.clear()

    def oldest_time(self) -> str | None:
        """The time of the oldest event that waits."""
        try:
            return self._disk.oldest_time() or self._memory.oldest_time()
        except FAULTS:
            return None

    def flush(self) -> None:
        """Writes to the disk what was committed."""
        try:
            self._disk.flush()
        except FAULTS as error:
            self.fault = str(error)

    def close(self) -> None:
        """Moves to the disk what waits in memory, if the disk takes it; what is delivered later is not removed."""
        with suppress(*FAULTS):
            waiting = (self._memory.read(number) for number in self._memory.numbers(0, self._memory.count))
            self._disk.put([event for event in waiting if event is not None])
        self._disk.close()
        self._memory.close()

    def _keys(self, spool: Spool, most: int, *, in_memory: bool) -> list[Key]:
        try:
            numbers = spool.numbers(self._read[in_memory], most)
        except FAULTS as error:
            self.fault = str(error)
            return []
        if numbers:
            self._read[in_memory] = numbers[-1]
        return [Key(number, in_memory) for number in numbers]
