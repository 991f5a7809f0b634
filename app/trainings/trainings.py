"""What clients do with trainings: request, follow, cancel and remove them."""

import logging
import os
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import ExitStack, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from secrets import token_hex
from threading import RLock, Thread
from time import time
from typing import BinaryIO

from app.artifacts import Entry, ModelRepository, adopt
from app.errors import (
    InsufficientStorage,
    InvalidName,
    InvalidTrainings,
    ModelExists,
    TesseraError,
    TooFewPictures,
    TrainingBusy,
    TrainingInterrupted,
    TrainingNotFound,
)
from app.files import locked, sweep
from app.jobs.watchers import Watchers
from app.scoring import share_bound
from app.service import ReloadedModel
from app.service.version_table import DEFAULT
from app.trainings.limits import TrainingLimits
from app.trainings.order import Order
from app.trainings.records import MOST_RECORDS, TrainingFolder
from app.trainings.trainer_process import TrainerProcess, TrainingFailed
from app.trainings.training import ENDED, Training, TrainingState

FEWEST_PICTURES = 10
"""With fewer, each fold of the calibration holds most of what is known, and the bound of false alarms says little."""
RETRY_S = 30.0
RELOAD_S = 120.0
"""How long the server may take to load the new model before the training ends without knowing that it is served."""
STOP_S = 2.0
PROCESS = "app.trainings.process"
"""The module of the process."""

Sent = tuple[str, BinaryIO]
"""The name and the file of a picture that a client has sent."""
Reload = Callable[[str], Future[list[ReloadedModel]]]

_log = logging.getLogger(__name__)


class Trainings:
    """The trainings of a server, of which one runs at a time. Any thread may call any method; most block on the disk.

    A training has a process and a repository of its own. The server takes the finished model into `repository` in one
    step, and then calls `reload` with its name. The constructor raises InvalidTrainings if the folder cannot be used,
    or if another server uses it.
    """

    def __init__(
        self,
        folder: Path,
        repository: ModelRepository,
        limits: TrainingLimits,
        reload: Reload,
        clock: Callable[[], float] = time,
    ) -> None:
        self._repository, self._limits, self._reload, self._clock = repository, limits, reload, clock
        self.watchers = Watchers()
        self._lock = RLock()
        self._held = ExitStack()
        self._running: Training | None = None
        self._process: TrainerProcess | None = None
        self._thread: Thread | None = None
        self._publishes = False
        try:
            if repository.root.is_dir() and not os.access(repository.root, os.W_OK):
                raise InvalidTrainings(
                    f"{repository.root} (models_dir) cannot be written to, and first models are written there; mount "
                    "it for writing, or leave out trainings_dir"
                )
            folder.mkdir(parents=True, exist_ok=True)
            sweep(folder)  # before it is locked, because it locks the folder itself
            self._held.enter_context(locked(folder, wait=False))
            self._folder = TrainingFolder(folder)
            self._trainings = {each.id: each for each in self._folder.records()}
            for each in list(self._trainings.values()):
                if each.state not in ENDED:
                    self._change(each, TrainingState.failed, **_problem(_ended_with_server()))
        except BlockingIOError as error:
            raise InvalidTrainings(
                f"another server uses {folder} (trainings_dir); each server needs a folder of its own"
            ) from error
        except OSError as error:
            self._held.close()
            raise InvalidTrainings(f"{folder} (trainings_dir) cannot be used: {error.strerror or error}") from error

    def require(self, name: str, pictures: int) -> None:
        """Raises what `create` raises for a name and a number of pictures."""
        self._repository.next_version(name)  # raises InvalidName
        if name == DEFAULT:
            raise InvalidName(f"{DEFAULT!r} cannot name a model: it stands for the model that the server chooses")
        if self._repository.versions(name):
            raise ModelExists(f"there is a model {name!r} already; choose another name")
        if pictures < FEWEST_PICTURES:
            raise TooFewPictures(
                f"there are {pictures} pictures, and a first model needs {FEWEST_PICTURES}: with {pictures}, up to "
                f"{share_bound(0, pictures):.0%} false alarms could not be excluded"
            )
        running = self._running
        if running is not None:
            raise TrainingBusy(
                f"the model {running.model!r} is being trained, and one training runs at a time; try again when it has "
                "ended",
                RETRY_S,
            )

    def create(self, name: str, pictures: Sequence[Sent]) -> Training:
        """Starts the training of a first model on pictures of about one size, in their order, and returns it.

        Raises InvalidName, ModelExists, TooFewPictures, TrainingBusy or InsufficientStorage.
        """
        now = self._clock()
        training = Training(token_hex(8), name, len(pictures), now, now)
        with self._lock:
            self.require(name, len(pictures))
            self._running = training
        try:
            self._folder.store(training.id, pictures)
            self._folder.write(training)
        except BaseException as error:
            self._folder.clear(training.id)
            self._running = None
            if not isinstance(error, OSError):
                raise
            raise InsufficientStorage(
                f"the pictures cannot be stored: {error.strerror}; make room in the server's folder for trainings "
                "(trainings_dir)"
            ) from error
        with self._lock:
            self._trainings[training.id] = training
            order = Order(str(self._folder.work(training.id)), name, self._limits)
            self._process = TrainerProcess(PROCESS, order, "send fewer or smaller pictures")
            self._thread = Thread(
                target=self._run, args=[training, self._process], name="tessera-training", daemon=True
            )
            self._thread.start()
        self._forget_old()
        return training

    def get(self, id: str) -> Training:
        """Raises TrainingNotFound."""
        found = self._trainings.get(id)
        if found is None:
            raise TrainingNotFound(f"there is no training {id[:40]!r}; its record may have been removed")
        return found

    def newest(self, most: int) -> list[Training]:
        """The newest trainings, the newest first."""
        found = sorted(self._trainings.values(), key=lambda each: each.created_s, reverse=True)
        return found[:most]

    def delete(self, id: str) -> Training | None:
        """Cancels a training that runs, and returns it; removes the record of one that has ended, and returns None.

        A training whose model is being written is not cancelled any more; it is returned as it is. Raises
        TrainingNotFound.
        """
        with self._lock:
            training = self.get(id)
            if training.state in ENDED:
                del self._trainings[id]
                self._folder.remove(id)
                return None
            if self._publishes:
                return training
            cancelled = self._change(training, TrainingState.cancelled)
            if self._process is not None:
                self._process.kill("the training was cancelled")
            return cancelled

    def stop(self) -> None:
        """Ends the training that runs, whose record says so; its model is not written."""
        process, thread = self._process, self._thread
        if process is not None:
            process.kill(str(_ended_with_server()))
        if thread is not None:
            thread.join(STOP_S)
        self.watchers.close()
        self._held.close()

    def _run(self, training: Training, process: TrainerProcess) -> None:
        id = training.id
        try:
            result = process.run(partial(self._progress, id))
            self._publish(id, result)
        except (TesseraError, TrainingFailed) as error:
            self._fail(id, {"code": error.code, "message": str(error)})
        except Exception:
            _log.exception("the training %s failed", id)
            self._fail(id, {"code": "internal_error", "message": "the server's log has the details under this id"})
        finally:
            self._folder.clear(id)
            self._running = self._process = None
            self._publishes = False

    def _publish(self, id: str, result: dict[str, object]) -> None:
        """Takes the model into the repository, unless the training was cancelled, and has it loaded."""
        with self._lock:
            training = self._trainings.get(id)
            if training is None or training.state in ENDED:
                return
            self._publishes = True
        made = ModelRepository(self._folder.work(id) / "models").versions(training.model)[-1]
        try:
            entry = adopt(made, self._repository)
        except OSError as error:
            raise InsufficientStorage(f"the model cannot be written to models_dir: {error.strerror}") from error
        notes = [str(note) for note in _listed(result["notes"])]
        problem, note = self._loaded(entry)
        done = TrainingState.failed if problem else TrainingState.done
        self._change(
            training,
            done,
            version=entry.version,
            caution=str(result["caution"]),
            notes=(*notes, *note),
            unlike=tuple(str(name) for name in _listed(result["unlike"])),
            **(problem or {}),
        )

    def _loaded(self, entry: Entry) -> tuple[dict[str, str] | None, list[str]]:
        """Why the server refuses the new version, or None; and notes."""
        try:
            reloaded = self._reload(entry.name).result(RELOAD_S)
        except (TesseraError, TimeoutError) as error:
            _log.warning("the new model %s is not loaded yet: %s", entry.name, error)
            return None, ["the model is written; the server loads it with its next scan of models_dir"]
        refused = next((error for each in reloaded for number, error in each.failed if number == entry.version), None)
        if refused is None:
            return None, []
        return {"code": refused.code, "message": f"the model is written, and the server refuses it: {refused}"}, []

    def _progress(self, id: str, stage: str, done: int, total: int) -> None:
        with self._lock:
            training = self._trainings.get(id)
            if training is not None and training.state not in ENDED:
                self._trainings[id] = replace(training, stage=stage, done=done, total=total)
        self.watchers.notify(id)

    def _fail(self, id: str, problem: dict[str, str]) -> None:
        with self._lock:
            training = self._trainings.get(id)
            if training is not None and training.state not in ENDED:
                self._change(training, TrainingState.failed, **problem)

    def _change(self, training: Training, state: TrainingState, **values: object) -> Training:
        """Ends a training. A record that cannot be written is not lost: a later start finds that the training ended."""
        changed = replace(training, state=state, changed_s=self._clock(), **values)  # type: ignore[arg-type]  # fields
        with self._lock:
            self._trainings[training.id] = changed
            try:
                self._folder.write(changed)
            except OSError as error:
                _log.warning("the record of the training %s cannot be written: %s", training.id, error)
        self.watchers.notify(training.id)
        return changed

    def _forget_old(self) -> None:
        with self._lock:
            for old in self.newest(len(self._trainings))[MOST_RECORDS:]:
                del self._trainings[old.id]
                with suppress(OSError):
                    self._folder.remove(old.id)


def _ended_with_server() -> TrainingInterrupted:
    return TrainingInterrupted("the server ended during the training; send the pictures again")


def _problem(error: TesseraError) -> dict[str, str]:
    return {"code": error.code, "message": str(error)}


def _listed(value: object) -> list[object]:
    return list(value) if isinstance(value, list) else []
