"""Writes the record of verdicts in a thread of its own."""

import logging
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Event, Thread
from time import time

from app.records.file import RecordFile
from app.records.form import FORMS, Line
from app.records.place import claimed, invalid_record

MOST_WAITING = 10_000
"""The most lines that wait to be written. Further lines are dropped, counted and reported."""
MOST_AT_ONCE = 500
RETRY_S = 1.0
"""The time between two attempts to write, while the file cannot be written."""
CLOSE_S = 0.5
"""The most time that the end of the server waits for lines."""

Counted = Callable[[str, int], None]
"""Receives the result of lines, `written` or `dropped`, and their number."""

_log = logging.getLogger(__name__)


class VerdictRecord:
    """Appends a line for each picture to a file. `add` only puts the line into a queue: it neither waits nor raises.

    Lines that cannot be written stay in the queue and are tried again every second. When the queue is full, new lines
    are dropped. Inspection goes on meanwhile: `problem` says what is wrong. The ending of the file is one of FORMS.

    At the start the file must be writable, and no other process may write it until `stop`; else raises InvalidRecord.
    """

    def __init__(self, path: Path, most_bytes: int, most_files: int, counted: Counted) -> None:
        self._path, self._form, self._counted = path, FORMS[path.suffix.lower()], counted
        self._file = RecordFile(path, self._form.head, most_bytes, most_files)
        with ExitStack() as stack:
            stack.enter_context(claimed(path))
            try:
                self._file.open(time())
            except OSError as error:
                raise invalid_record(path, error) from error
            self._claim = stack.pop_all()
        self._waiting: SimpleQueue[Line] = SimpleQueue()
        self._held = 0  # lines that the thread has taken, and not written yet
        self._stopped = Event()
        self._thread = Thread(target=self._run, name="tessera-record", daemon=True)
        self.problem: str | None = None
        """Why lines cannot be written, or were dropped since the last one was written; None: nothing is wrong."""

    @property
    def waiting(self) -> int:
        """The number of lines that are not written yet."""
        return self._waiting.qsize() + self._held

    def start(self) -> None:
        """Starts the thread."""
        self._thread.start()

    def add(self, line: Line) -> None:
        """Queues a line, or drops it if the queue is full. May be called from any thread."""
        if self.waiting >= MOST_WAITING:
            self._counted("dropped", 1)
        else:
            self._waiting.put(line)

    def stop(self) -> None:
        """Writes what waits, for at most CLOSE_S, and ends the thread."""
        self._stopped.set()
        if self._thread.ident is None:
            self._file.close()
        else:
            self._thread.join(CLOSE_S)
        if self.waiting:
            _log.error("%d verdicts are not in the record %s: the server ended first", self.waiting, self._path)
            self._counted("dropped", self.waiting)
        self._claim.close()

    def _run(self) -> None:
        while lines := self._next():
            data = b"".join(map(self._form.encode, lines))
            while not self._written(data):
                if self._stopped.wait(RETRY_S):
                    return
            self._held = 0
            self._counted("written", len(lines))
        self._file.close()

    def _next(self) -> list[Line]:
        """The next lines; empty if there will be no more."""
        lines: list[Line] = []
        while len(lines) < MOST_AT_ONCE:
            try:
                line = self._waiting.get_nowait() if lines else self._waiting.get(timeout=0.2)
            except Empty:
                if lines or self._stopped.is_set():
                    break
                continue
            self._held += 1
            lines.append(line)
        return lines

    def _written(self, data: bytes) -> bool:
        try:
            self._file.append(data, time())
        except OSError as error:
            problem = f"the record of verdicts {self._path} cannot be written: {error.strerror or error}"
            if problem != self.problem:
                _log.error("%s; up to %d lines wait, further ones are dropped", problem, MOST_WAITING)
            self.problem = problem
            return False
        if self.problem is not None:
            _log.info("the record of verdicts %s can be written again", self._path)
            self.problem = None
        return True
