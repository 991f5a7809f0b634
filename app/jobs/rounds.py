"""What happens again and again while a server takes jobs."""

import logging
from collections.abc import Callable
from threading import Event, Thread

from app.errors import JobsDatabaseUnavailable

_log = logging.getLogger(__name__)


class Round:
    """Calls a function at an interval, in a thread of its own. After an error it goes on."""

    def __init__(self, name: str, interval_s: float, call: Callable[[], None]) -> None:
        self._interval_s, self._call = interval_s, call
        self._stopped = Event()
        self._thread = Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Stops after the current call."""
        self._stopped.set()

    def _run(self) -> None:
        while not self._stopped.wait(self._interval_s):
            try:
                self._call()
            except (JobsDatabaseUnavailable, OSError):
                pass  # the table has logged that the database is away; requests that need the disk report it
            except Exception:
                _log.exception("%s failed, and is tried again", self._thread.name)
