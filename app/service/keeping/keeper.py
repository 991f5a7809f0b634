"""Keeps pictures in a thread of its own, after their answers."""

import logging
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from threading import Event, Lock, Thread
from time import monotonic
from typing import Protocol

from app.errors import PicturesDatabaseUnavailable
from app.pipeline import Label, use_processors
from app.service.keeping.drafting import draft_of
from app.service.keeping.held import HeldFile
from app.service.keeping.rules import Rules
from app.service.predicted import Predicted
from app.service.source import Pixels, Source, Upload
from app.store.kept import Kept, PictureStore

MOST_WAITING = 100
"""The most pictures that wait to be stored. Further ones are not kept, and counted."""
MOST_WAITING_BYTES = 256 * 2**20
"""The most bytes of files, pixels and maps of pictures that wait; one picture may have more if no other waits."""
EXPIRY_INTERVAL_S = 60.0
CLOSE_S = 1.0
"""How long the end of the server waits for pictures."""

_log = logging.getLogger(__name__)


class KeepObserver(Protocol):
    """Receives what became of pictures that a rule chose. Calls must be fast and must not raise."""

    def picture_kept(self, result: str) -> None:
        """`kept`, `known`, `full` (see Kept), `dropped` (too many wait), or `failed` (the store cannot be written)."""


@dataclass(frozen=True, slots=True)
class _Waiting:
    predicted: Predicted
    file: HeldFile
    name: str
    rule: str
    request_id: str
    bytes: int


class Keeper:
    """Hands chosen pictures to a store. `offer` neither waits nor raises; a picture that cannot be kept is counted.

    request_id: returns the id of the request that is being answered; empty: unknown
    """

    def __init__(
        self, store: PictureStore, rules: Rules, request_id: Callable[[], str], observer: KeepObserver
    ) -> None:
        self._store, self._rules, self._request_id, self._observer = store, rules, request_id, observer
        self._numbers = Counter[str]()
        self._queue: SimpleQueue[_Waiting] = SimpleQueue()
        self._lock = Lock()
        self._count = self._bytes = 0  # of pictures that wait, and of the one that is being stored
        self._stopped = Event()
        self._thread = Thread(target=self._run, name="tessera-pictures", daemon=True)
        self.problem: str | None = None
        """Why the last picture could not be kept; None: it could."""

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Stores what waits, for at most CLOSE_S, and ends the thread."""
        self._stopped.set()
        if self._thread.ident is not None:
            self._thread.join(CLOSE_S)

    def offer(self, source: Source, predicted: Predicted) -> None:
        """Keeps a picture if a rule chooses it.

        Partial answers, regions of interest, and pictures that came as numbers are not kept.
        """
        prediction, coverage = predicted.prediction, predicted.prediction.coverage
        if predicted.question.roi is not None or isinstance(source, Pixels):
            return
        if prediction.label is Label.undecided or (coverage is not None and not coverage.complete):
            return
        model = predicted.artifact.name
        number, self._numbers[model] = self._numbers[model], self._numbers[model] + 1
        rule = self._rules.choose(prediction.score, prediction.criteria.threshold, prediction.label, number)
        if rule is None:
            return
        try:
            self._enqueue(source, predicted, rule)
        except OSError as error:
            self._report(f"a picture cannot be kept: {error.strerror or error}")
            self._observer.picture_kept("failed")

    def _enqueue(self, source: bytes | Upload, predicted: Predicted, rule: str) -> None:
        file = HeldFile.of(source)
        size = file.size + predicted.image.nbytes + predicted.prediction.anomaly_map.nbytes
        with self._lock:
            has_room = self._count < MOST_WAITING and self._bytes + size <= MOST_WAITING_BYTES
            if has_room := has_room or not self._count:
                self._count, self._bytes = self._count + 1, self._bytes + size
        if not has_room:
            file.close()
            self._observer.picture_kept("dropped")
            return
        name = source.name if isinstance(source, Upload) else ""
        self._queue.put(_Waiting(predicted, file, name, rule, self._request_id(), size))

    def _run(self) -> None:
        use_processors(1)  # the lanes need the other processors
        expires_s = monotonic()
        self._quietly(self._store.sweep)
        while not (self._stopped.is_set() and self._queue.empty()):
            if monotonic() >= expires_s:
                self._quietly(self._store.expire)
                expires_s = monotonic() + EXPIRY_INTERVAL_S
            try:
                waiting = self._queue.get(timeout=0.2)
            except Empty:
                continue
            self._observer.picture_kept(self._stored(waiting))
            with self._lock:
                self._count, self._bytes = self._count - 1, self._bytes - waiting.bytes
            del waiting  # its pixels are not needed while the queue is empty

    def _stored(self, waiting: _Waiting) -> str:
        """What became of a picture. An error costs this picture only."""
        try:
            draft = draft_of(waiting.predicted, waiting.file.read(), waiting.name, waiting.rule, waiting.request_id)
            outcome, _ = self._store.add(draft)
        except PicturesDatabaseUnavailable as error:  # the database has logged it
            self.problem = str(error)
            return "failed"
        except OSError as error:
            self._report(f"pictures cannot be kept: {error.strerror or error}")
            return "failed"
        except Exception:
            _log.exception("a picture was not kept")
            return "failed"
        finally:
            waiting.file.close()
        if outcome is Kept.full:
            self._report(
                "pictures are not kept: reviewed ones leave too little of pictures_bytes, or the disk has less than "
                "pictures_free_bytes; raise a bound, delete reviewed pictures, or make room"
            )
        elif self.problem is not None:
            self.problem = None
            _log.info("pictures are kept again")
        return outcome.value

    def _report(self, problem: str) -> None:
        if problem != self.problem:
            _log.error("%s; predictions go on", problem)
        self.problem = problem

    def _quietly(self, call: Callable[[], None]) -> None:
        try:
            call()
        except (PicturesDatabaseUnavailable, OSError):
            pass  # the next picture reports it
        except Exception:
            _log.exception("kept pictures could not be tidied up")
