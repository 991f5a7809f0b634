"""Which models are in memory, if they are not all: those that were used most recently."""

import gc
import logging
from collections import OrderedDict, deque
from collections.abc import Callable
from concurrent.futures import Future
from threading import Condition

from app.artifacts import Entry
from app.errors import EngineStopped, ModelLoading
from app.service.current_table import CurrentTable
from app.service.patience import STOPPED
from app.service.version_loader import VersionLoader
from app.service.version_table import VersionStatus

_log = logging.getLogger(__name__)


class Residency:
    """Loads versions when requests need them, and takes those that were not used for longest from memory for them.

    most: how many versions are in memory; None: all of them, as soon as they are found
    unloaded: called after a version was taken from memory

    A request keeps the model with which it started, so that the memory of a version may be freed later than it is
    taken from the table. Waiting requests for one version share one load. Any thread may call every method.
    """

    def __init__(
        self, table: CurrentTable, loader: VersionLoader, most: int | None, unloaded: Callable[[], None]
    ) -> None:
        self._table, self._loader, self._most, self._unloaded = table, loader, most, unloaded
        self._wishes: dict[Entry, Future[None]] = {}  # the ends of loads that are wanted
        self._waiting: deque[VersionStatus] = deque()  # those that have not begun
        self._used: OrderedDict[Entry, None] = OrderedDict()  # the one that was not used for longest first
        self._change = Condition()  # notified by a wish and by `stop`
        self._stopped = False
        loader.settled = self._settle

    def takes(self, status: VersionStatus) -> bool:
        """Whether a version that was found is loaded at once: one that is in memory already, one that would be live
        while there is room, and one that would take over from a live version that is in memory. Also one that was
        refused: it must not become live again before it is verified.
        """
        if self._most is None or status.artifact is not None or status.error is not None:
            return True
        model = self._table.now.model(status.entry.name)
        if status.entry.version not in (model.pin.version, model.versions[-1].entry.version):
            return False
        return model.has_live_in_memory or len(self._loaded()) < self._most

    def used(self, entry: Entry) -> None:
        """Notes that a request uses a version."""
        if self._most is not None:
            with self._change:
                self._used[entry] = None
                self._used.move_to_end(entry)

    def want(self, status: VersionStatus) -> Future[None]:
        """Asks for an unloaded version. The future ends when it was loaded or refused, and must not be cancelled.

        It raises ModelLoading if its load cannot begin, and EngineStopped after `stop`.
        """
        with self._change:
            if self._stopped:
                raise EngineStopped(STOPPED)
            future = self._wishes.get(status.entry)
            if future is None:
                future = self._wishes[status.entry] = Future()
                self._waiting.append(status)
                self._change.notify()
        return future

    def run(self) -> None:
        """Loads versions that are wanted, in turn, until `stop`."""
        while (status := self._next()) is not None:
            entry = status.entry
            try:
                self.make_room(1)
                if not self._loader.load(status):
                    self._end(entry, ModelLoading("too many models are being loaded; try again in a few seconds"))
            except Exception as error:  # the thread must survive any error
                self._end(entry, error)
        for entry in list(self._wishes):
            self._end(entry, EngineStopped(STOPPED))

    def _next(self) -> VersionStatus | None:
        """Waits for the next version to load; None after `stop`."""
        with self._change:
            self._change.wait_for(lambda: self._stopped or self._waiting)
            if self._stopped:
                return None
            return self._waiting.popleft()

    def stop(self) -> None:
        """Ends `run`."""
        with self._change:
            self._stopped = True
            self._change.notify()

    def make_room(self, more: int = 0) -> None:
        """Takes versions from memory until this number of further ones fits."""
        if self._most is None:
            return
        with self._change:
            order = {entry: place for place, entry in enumerate(self._used)}
        loaded = sorted(self._loaded(), key=lambda entry: order.get(entry, -1))
        for entry in loaded[: max(0, len(loaded) + more - self._most)]:
            self._unload(entry)

    def _unload(self, entry: Entry) -> None:
        self._table.change(lambda table: table.without_model(entry))
        with self._change:
            self._used.pop(entry, None)
        self._unloaded()
        _log.info("model %s version %d was taken from memory; a request loads it again", entry.name, entry.version)
        gc.collect()  # tracing leaves reference cycles, which would keep the detector in memory

    def _loaded(self) -> list[Entry]:
        """The versions in memory that can be loaded again."""
        return [
            status.entry for status in self._table.now.statuses if status.artifact is not None and status.error is None
        ]

    def _settle(self, entry: Entry) -> None:
        self.used(entry)
        self._end(entry, None)

    def _end(self, entry: Entry, error: BaseException | None) -> None:
        with self._change:
            future = self._wishes.pop(entry, None)
        if future is None:
            return
        if error is None:
            future.set_result(None)
        else:
            future.set_exception(error)
