"""The thread that keeps the catalogue up to date with the repository."""

import logging
from concurrent.futures import Future
from math import inf
from threading import Condition, Thread
from time import monotonic

from app.errors import EngineStopped, TesseraError
from app.pipeline import use_processors
from app.service.catalogue import ModelCatalogue
from app.service.patience import STOPPED
from app.service.reloaded import ReloadedModel
from app.service.version_table import DEFAULT

FIRST_RETRY_S, LONGEST_RETRY_S = 30.0, 600.0
"""The pause before versions are tried again that a faulty device or a lack of memory may have refused, in seconds.

It doubles each time.
"""

_log = logging.getLogger(__name__)

FINISH_S = 1.0
"""How long `stop` waits for the thread, and for loads that are under way."""

Reload = Future[list[ReloadedModel]]


class Reloader:
    """Scans the repository when it starts, every `interval_s` seconds (0: never), and on request.

    It polls, because containers and network file systems do not report changes. The first scan uses all of
    `processors`, later ones half of them, because requests are served at the same time. A second thread loads the
    models that requests need and that are not in memory. The threads live from `start` to `stop`; `reload` may be
    called from any thread.
    """

    def __init__(self, catalogue: ModelCatalogue, *, interval_s: float, processors: int) -> None:
        self._catalogue, self._interval_s, self._processors = catalogue, interval_s, processors
        self._asked: dict[str | None, Reload] = {}
        self._wake = Condition()  # notified by `reload` and `stop`
        self._stopped = False
        self._retry_s, self._pause_s = inf, FIRST_RETRY_S
        self._thread = Thread(target=self._run, name="tessera-loader", daemon=True)
        self._on_demand = Thread(target=self._load_wanted, name="tessera-on-demand", daemon=True)

    def start(self) -> None:
        """Starts the threads."""
        self._thread.start()
        self._on_demand.start()

    def stop(self) -> None:
        """Ends the threads; pending requests get EngineStopped. A version that is being loaded gets FINISH_S more.

        What still runs then, for example on a file system that hangs, is left to the end of the process.
        """
        self._catalogue.stop()
        with self._wake:
            self._stopped = True
            self._wake.notify()
        self._thread.join(FINISH_S)
        if not self._catalogue.finish(FINISH_S):
            _log.warning("versions that are still being loaded are abandoned")
        for future in self._taken().values():
            future.set_exception(_stopped())

    def reload(self, name: str | None = None) -> Reload:
        """Requests a scan of one model, or of all models. Concurrent requests share one scan.

        Versions that were refused are tried again. The future may raise ModelNotFound or UnreadableRepository; it must
        not be cancelled, because several callers share it. Raises EngineStopped after `stop`.
        """
        with self._wake:
            if self._stopped or not self._thread.is_alive():
                raise _stopped()
            future = self._asked.setdefault(name, Future())
            self._wake.notify()
        return future

    def _load_wanted(self) -> None:
        use_processors(max(1, self._processors // 2))
        self._catalogue.load_wanted()

    def _run(self) -> None:
        use_processors(self._processors)
        self._catalogue.sweep()
        self._poll()
        use_processors(max(1, self._processors // 2))
        while self._wait():
            asked = self._taken()
            if not asked:
                self._poll()
            for name, future in asked.items():
                self._answer(name, future)

    def _wait(self) -> bool:
        """Waits until a scan is due or requested; False after `stop`."""
        with self._wake:
            self._wake.wait_for(lambda: self._stopped or self._asked, timeout=self._interval_s or None)
            return not self._stopped

    def _taken(self) -> dict[str | None, Reload]:
        with self._wake:
            asked, self._asked = self._asked, {}
        return asked

    def _retries(self) -> bool:
        """Whether refused versions are due again, although their files have not changed."""
        now_s = monotonic()
        if not self._catalogue.may_recover:
            self._retry_s, self._pause_s = inf, FIRST_RETRY_S
        elif self._retry_s == inf:
            self._retry_s = now_s + self._pause_s
        elif now_s >= self._retry_s:
            self._retry_s, self._pause_s = inf, min(2 * self._pause_s, LONGEST_RETRY_S)
            return True
        return False

    def _poll(self) -> None:
        try:
            self._catalogue.refresh(again=self._retries())
        except TesseraError:
            pass  # the catalogue has logged it
        except Exception:  # the thread must survive any error: the next scan may succeed
            _log.exception("the scan of the model repository failed")

    def _answer(self, name: str | None, future: Reload) -> None:
        try:
            reloaded = self._scan(name)
            if self._stopped:  # during the scan
                raise _stopped()
            future.set_result(reloaded)
        except Exception as error:
            future.set_exception(error)

    def _scan(self, name: str | None) -> list[ReloadedModel]:
        if name is None:
            return self._catalogue.refresh(again=True)
        meant = self._catalogue.default_name if name == DEFAULT else name
        reloaded = [each for each in self._catalogue.refresh(meant, again=True) if meant in (None, each.name)]
        if meant is None:  # now `default` may mean a new model
            meant = self._catalogue.model(name).name
            reloaded = [each for each in reloaded if each.name == meant]
        if not reloaded:
            self._catalogue.model(meant)  # raises ModelNotFound, which lists the models
        return reloaded


def _stopped() -> EngineStopped:
    return EngineStopped(STOPPED)
