"""What clients do with teachings: request, follow, cancel and remove them, and decide what becomes of the candidate."""

import logging
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from secrets import token_hex
from threading import RLock, Thread
from time import time
from typing import Any

from app.artifacts import Entry, ModelRepository
from app.errors import (
    InsufficientStorage,
    InvalidTrainings,
    NothingToLearn,
    TeachingConflict,
    TeachingNotFound,
    TesseraError,
    TrainingBusy,
    TrainingInterrupted,
)
from app.service import ReloadedModel
from app.store.kept import Bounds, PictureQuery, PictureStore
from app.teaching.candidates import adopt_candidate
from app.teaching.proof import ProofResult, ServeRules
from app.trainings.deciding import RULES, carry_out, refusing
from app.trainings.limits import TrainingLimits
from app.trainings.records import MOST_RECORDS, RecordFolder
from app.trainings.teaching import Teaching, TeachingDecision, TeachingState, teaching_of
from app.trainings.teaching_order import TeachingOrder
from app.trainings.trainer_process import TrainerProcess, TrainingFailed

PROCESS = "app.trainings.teaching_process"
"""The module of the process."""
RETRY_S = 30.0
RELOAD_S = 120.0
"""How long the server may take to load the candidate before the teaching ends without knowing that it is loaded."""
STOP_S = 2.0

Reload = Callable[[str], Future[list[ReloadedModel]]]

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class PicturesPlace:
    """Where the process of a teaching finds the kept pictures; see PictureStore."""

    folder: Path
    database: str
    bounds: Bounds


class Teachings:
    """The teachings of a server, of which one runs at a time. Any thread may call any method; most block on the disk.

    A teaching has a process of the lowest priority, which learns and replays, and writes the candidate into a
    repository of its own. The server pins the version that serves, and takes the candidate into `repository` in one
    step. The candidate serves by a decision, or if it meets the rules. The constructor raises InvalidTrainings if the
    folder, which no other server uses, cannot be used.

    store: the kept pictures, which the process opens by `place`
    most_lost: the number of confirmed defects that a candidate may lose
    rules: None: a candidate serves by a decision only
    """

    def __init__(
        self,
        folder: Path,
        repository: ModelRepository,
        store: PictureStore,
        place: PicturesPlace,
        limits: TrainingLimits,
        reload: Reload,
        *,
        most_lost: int = 0,
        rules: ServeRules | None = None,
        clock: Callable[[], float] = time,
    ) -> None:
        self._repository, self._store, self._place = repository, store, place
        self._limits, self._reload, self._clock = limits, reload, clock
        self._most_lost, self._rules = most_lost, rules
        self._lock = RLock()
        self._running: Teaching | None = None
        self._process: TrainerProcess | None = None
        self._thread: Thread | None = None
        self._publishes = False
        try:
            self._folder = RecordFolder(folder, teaching_of)
            self._teachings = {each.id: each for each in self._folder.records()}
        except OSError as error:
            raise InvalidTrainings(f"{folder} (trainings_dir) cannot be used: {error.strerror or error}") from error
        for each in list(self._teachings.values()):
            if each.state is TeachingState.running:
                self._change(each, TeachingState.failed, **_problem(_ended_with_server()))

    def create(self, model: str) -> Teaching:
        """Starts to teach a model, and returns the teaching.

        Raises TeachingConflict if the repository does not say which version serves; NothingToLearn, TrainingBusy,
        PicturesDatabaseUnavailable or InsufficientStorage.
        """
        with refusing():
            self._repository.find(model)
        if not self._store.count(PictureQuery(model=model, reviewed=True)):
            raise NothingToLearn(f"no kept picture of {model!r} is reviewed; review some first")
        now = self._clock()
        teaching = Teaching(token_hex(8), model, now, now)
        with self._lock:
            if self._running is not None:
                raise TrainingBusy(
                    f"the model {self._running.model!r} is being taught, and one teaching runs at a time; try again "
                    "when it has ended",
                    RETRY_S,
                )
            self._write(teaching)
            self._running = self._teachings[teaching.id] = teaching
            order = TeachingOrder(
                str(self._folder.work(teaching.id)),
                model,
                str(self._repository.root),
                str(self._place.folder),
                self._place.database,
                self._place.bounds,
                self._most_lost,
                self._limits,
            )
            self._process = TrainerProcess(PROCESS, order, "raise it, or keep and review fewer pictures")
            self._thread = Thread(
                target=self._run, args=[teaching, self._process], name="tessera-teaching", daemon=True
            )
            self._thread.start()
        self._forget_old()
        return teaching

    def get(self, id: str) -> Teaching:
        """Raises TeachingNotFound."""
        found = self._teachings.get(id)
        if found is None:
            raise TeachingNotFound(f"there is no teaching {id[:40]!r}; its record may have been removed")
        return found

    def newest(self, most: int, model: str | None = None) -> list[Teaching]:
        """The newest teachings (of a model), the newest first."""
        found = [each for each in self._teachings.values() if model in (None, each.model)]
        return sorted(found, key=lambda each: each.created_s, reverse=True)[:most]

    def delete(self, id: str) -> Teaching | None:
        """Cancels a teaching that runs, and returns it; removes the record of one that has ended, and returns None.

        A teaching whose candidate is being written is not cancelled any more, and one whose candidate waits for a
        decision is not removed; both are returned as they are. Raises TeachingNotFound.
        """
        with self._lock:
            teaching = self.get(id)
            if teaching.state is TeachingState.proposed or (
                teaching.state is TeachingState.running and self._publishes
            ):
                return teaching
            if teaching.state is not TeachingState.running:
                del self._teachings[id]
                self._folder.remove(id)
                return None
            cancelled = self._change(teaching, TeachingState.cancelled)
            if self._process is not None:
                self._process.kill("the teaching was cancelled")
            return cancelled

    def decide(self, id: str, decision: TeachingDecision, by: str, *, second_person: bool = False) -> Teaching:
        """Does with a candidate what a person says, and returns the teaching. The model must be reloaded then.

        by: the name of the API key, or of the program
        second_person: whether another person has looked at the doubtful reviews

        Raises TeachingNotFound, TeachingConflict or SecondPersonRequired.
        """
        with self._lock:
            teaching = self.get(id)
            state = carry_out(self._repository, teaching, decision, by, second_person)
            return self._change(teaching, state, by=by)

    def stop(self) -> None:
        """Ends the teaching that runs, whose record says so; its candidate is not written."""
        process, thread = self._process, self._thread
        if process is not None:
            process.kill(str(_ended_with_server()))
        if thread is not None:
            thread.join(STOP_S)

    def _run(self, teaching: Teaching, process: TrainerProcess) -> None:
        id = teaching.id
        try:
            result = process.run(partial(self._progress, id))
            self._publish(id, result)
        except (TesseraError, TrainingFailed) as error:
            self._fail(id, {"code": error.code, "message": str(error)})
        except Exception:
            _log.exception("the teaching %s failed", id)
            self._fail(id, {"code": "internal_error", "message": "the server's log has the details under this id"})
        finally:
            self._folder.clear(id)
            self._running = self._process = None
            self._publishes = False

    def _publish(self, id: str, result: dict[str, Any]) -> None:
        """Takes the candidate into the repository, unless it was refused or cancelled, and has it loaded."""
        with self._lock:
            teaching = self._teachings.get(id)
            if teaching is None or teaching.state is not TeachingState.running:
                return
            self._publishes = True
        teaching = replace(
            teaching,
            served=int(result["served"]),
            digest=str(result["digest"]),
            seconds=float(result["seconds"]),
            notes=tuple(map(str, result["notes"])),
            values=result["proof"],
        )
        proof = teaching.proof
        assert proof is not None  # it was given just now
        if proof.result is ProofResult.refused:
            self._change(teaching, TeachingState.refused)
            return
        made = ModelRepository(self._folder.work(id) / "models").versions(teaching.model)[-1]
        try:
            entry = adopt_candidate(made, self._repository, proof.served, teaching.digest)
        except OSError as error:
            raise InsufficientStorage(f"the model cannot be written to models_dir: {error.strerror}") from error
        teaching, problem = replace(teaching, version=entry.version), self._loaded(entry)
        if problem is not None:
            self._change(teaching, TeachingState.failed, **problem)
            return
        unmet = () if self._rules is None else tuple(self._rules.unmet(proof))
        notes = (*teaching.notes, *(f"not served by the rules (teach_serve): {each}" for each in unmet))
        self._change(teaching, TeachingState.proposed, notes=notes)
        if self._rules is not None and not unmet:
            with suppress(TeachingConflict):  # a person was faster
                self.decide(id, TeachingDecision.promote, RULES)
                self._loaded(entry)

    def _loaded(self, entry: Entry) -> dict[str, str] | None:
        """Why the server refuses the candidate; None: it is loaded, or will be with the next scan."""
        try:
            reloaded = self._reload(entry.name).result(RELOAD_S)
        except (TesseraError, TimeoutError) as error:
            _log.warning("the candidate of %s is not loaded yet: %s", entry.name, error)
            return None
        refused = next((error for each in reloaded for number, error in each.failed if number == entry.version), None)
        if refused is None:
            return None
        return {"code": refused.code, "message": f"the candidate is written, and the server refuses it: {refused}"}

    def _progress(self, id: str, stage: str, done: int, total: int) -> None:
        with self._lock:
            teaching = self._teachings.get(id)
            if teaching is not None and teaching.state is TeachingState.running:
                self._teachings[id] = replace(teaching, stage=stage, done=done, total=total)

    def _fail(self, id: str, problem: dict[str, str]) -> None:
        with self._lock:
            teaching = self._teachings.get(id)
            if teaching is not None and teaching.state is TeachingState.running:
                self._change(teaching, TeachingState.failed, **problem)

    def _change(self, teaching: Teaching, state: TeachingState, **values: object) -> Teaching:
        """Changes a teaching. A record that cannot be written is logged: what serves is recorded by the repository."""
        changed = replace(teaching, state=state, changed_s=self._clock(), **values)  # type: ignore[arg-type]  # fields
        with self._lock:
            self._teachings[teaching.id] = changed
            try:
                self._folder.write(changed)
            except OSError as error:
                _log.warning("the record of the teaching %s cannot be written: %s", teaching.id, error)
        return changed

    def _write(self, teaching: Teaching) -> None:
        try:
            self._folder.write(teaching)
            self._folder.work(teaching.id).mkdir()
        except OSError as error:
            raise InsufficientStorage(
                f"the teaching cannot be stored: {error.strerror}; make room in the server's folder for trainings "
                "(trainings_dir)"
            ) from error

    def _forget_old(self) -> None:
        with self._lock:
            for old in self.newest(len(self._teachings))[MOST_RECORDS:]:
                del self._teachings[old.id]
                with suppress(OSError):
                    self._folder.remove(old.id)


def _ended_with_server() -> TrainingInterrupted:
    return TrainingInterrupted("the server ended during the teaching; teach again")


def _problem(error: TesseraError) -> dict[str, str]:
    return {"code": error.code, "message": str(error)}
