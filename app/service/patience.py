"""Calls that may hang, for example on a network file system: the caller stops waiting and goes on."""

from collections.abc import Callable, Hashable
from concurrent.futures import FIRST_COMPLETED, Future, wait
from threading import Lock, Thread
from typing import TypeVar

from app.errors import EngineStopped

MOST_CALLS = 32
"""Calls that may be under way at the same time. A call that hangs keeps its thread until the process ends."""

STOPPED = "the server is shutting down, and loads no models any more"

T = TypeVar("T")


class StillRunning(Exception):
    """The result of a call comes later, or never. `first`: the call was started now; false: it is an earlier one."""

    def __init__(self, *, first: bool) -> None:
        super().__init__("the call is still running")
        self.first = first


class Calls:
    """Runs one call at a time, in a thread of its own, and waits at most `patience_s` for it.

    A call that takes longer goes on beside the next ones. The threads never keep the process from ending.
    """

    def __init__(self, patience_s: float) -> None:
        self._patience_s = patience_s
        self._lock = Lock()
        self._running: dict[Hashable, Future[None]] = {}
        self._stopped: Future[None] = Future()

    def run(self, key: Hashable, call: Callable[[], T], late: Callable[[Future[T]], None] = lambda _: None) -> T:
        """Returns what `call` returns, or raises what it raises, if it ends in time.

        Otherwise raises StillRunning, and `late` gets the finished call, in its thread. Also raises StillRunning if a
        call with this key is under way, or MOST_CALLS are. Raises EngineStopped after `stop`.
        """
        if self._stopped.done():
            raise EngineStopped(STOPPED)
        future: Future[T] = Future()
        done: Future[None] = Future()
        with self._lock:
            if key in self._running or len(self._running) >= MOST_CALLS:
                raise StillRunning(first=False)
            self._running[key] = done

        def work() -> None:
            try:
                result = call()
            except BaseException as error:
                future.set_exception(error)
            else:
                future.set_result(result)
            finally:
                with self._lock:
                    del self._running[key]
                done.set_result(None)

        Thread(target=work, name="tessera-loading", daemon=True).start()
        wait([done, self._stopped], self._patience_s, FIRST_COMPLETED)
        if self._stopped.done():
            raise EngineStopped(STOPPED)
        if done.done():
            return future.result()
        future.add_done_callback(late)
        raise StillRunning(first=True)

    def stop(self) -> None:
        """Lets a waiting `run` raise EngineStopped now, and later ones at once."""
        if not self._stopped.done():
            self._stopped.set_result(None)

    def finish(self, most_s: float) -> bool:
        """Waits at most so long for calls that are under way; returns whether all have ended."""
        with self._lock:
            running = list(self._running.values())
        return not wait(running, most_s).not_done
