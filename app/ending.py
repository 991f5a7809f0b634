"""The end of the process: on time, whatever hangs, with a status that says how the server ended."""

import logging
import os
import sys
from collections.abc import Callable
from enum import IntEnum
from threading import Thread, current_thread, enumerate
from time import sleep
from typing import NoReturn

_log = logging.getLogger("tessera")

LOGGING_S = 0.2
"""How long the process waits for its last line in the log: whoever reads the log may hang as well."""


class ExitStatus(IntEnum):
    """The exit status of a server that was started.

    The numbers are those of sysexits.h: an internal error (EX_SOFTWARE), and a temporary failure (EX_TEMPFAIL).
    """

    answered = 0
    """The server was stopped, and all requests got an answer."""
    fault = 70
    """The server ended itself, because only another process can cure a fault."""
    unanswered = 75
    """The server was stopped, and some requests got no answer, or not all of it."""


class Ending:
    """Ends the process at a time, or at once. `status` is called then."""

    def __init__(self, status: Callable[[], ExitStatus]) -> None:
        self._status = status
        self._started = False

    def within(self, seconds: float) -> None:
        """Ends the process after this time, unless it ends before. Later calls have no effect."""
        if not self._started:
            self._started = True
            Thread(target=self._wait, args=(seconds,), name="tessera-ending", daemon=True).start()

    def now(self) -> None:
        """Ends the process at once."""
        os._exit(self._status())

    def _wait(self, seconds: float) -> None:
        sleep(seconds)
        names = ", ".join(thread.name for thread in lasting_threads()) or "the main thread"
        message = "the process ends although these still run: %s"
        last_line = Thread(target=_log.error, args=(message, names), daemon=True)
        last_line.start()
        last_line.join(LOGGING_S)
        self.now()


def leave(status: ExitStatus) -> NoReturn:
    """Ends the process with a status, and leaves threads that still run.

    Python would wait for threads of executors, and take down all libraries, which takes a second.
    """
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(status)


def lasting_threads() -> list[Thread]:
    """All threads that were started by this program, except this one and the one that ends the process."""
    own = "tessera-ending"
    return [each for each in enumerate() if each is not current_thread() and each.is_alive() and each.name != own]
