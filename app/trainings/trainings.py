"""What clients do with trainings: request, follow, cancel and remove them."""

import os
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from secrets import token_hex
from time import time
from typing import Any

from app.artifacts import ModelRepository, adopt
from app.errors import InvalidName, InvalidTrainings, ModelExists, TooFewPictures, TrainingNotFound
from app.files import locked, sweep
from app.scoring import share_bound
from app.service.version_table import DEFAULT
from app.trainings.limits import TrainingLimits
from app.trainings.records import RecordFolder
from app.trainings.runs import Reload, Runs
from app.trainings.storing import Sent, store
from app.trainings.training import Training, TrainingState, training_of
from app.trainings.training_order import PICTURES, TrainingOrder

FEWEST_PICTURES = 10
"""With fewer, each fold of the calibration holds most of what is known, and the bound of false alarms says little."""


class Trainings(Runs[Training]):
    """The trainings of a server; see Runs. Each makes the first version of a model from sent pictures."""

    kind, participle, module = "training", "trained", "app.trainings.training_process"
    advice = "send fewer or smaller pictures"
    interrupted = "the server ended during the training; send the pictures again"
    not_found = TrainingNotFound

    def __init__(
        self,
        folder: Path,
        repository: ModelRepository,
        limits: TrainingLimits,
        reload: Reload,
        clock: Callable[[], float] = time,
    ) -> None:
        """Raises InvalidTrainings if the folder cannot be used, or if another server uses it.

        reload: has the server load the versions of a model
        """
        self._limits, self._held = limits, ExitStack()
        try:
            if repository.root.is_dir() and not os.access(repository.root, os.W_OK):
                raise InvalidTrainings(
                    f"{repository.root} (models_dir) cannot be written to, and first models are written there; mount "
                    "it for writing, or leave out trainings_dir"
                )
            folder.mkdir(parents=True, exist_ok=True)
            sweep(folder)  # before it is locked, because it locks the folder itself
            self._held.enter_context(locked(folder, wait=False))
            super().__init__(RecordFolder(folder, training_of), repository, reload, clock)
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
        self._require_free()

    def create(self, name: str, pictures: Sequence[Sent]) -> Training:
        """Starts the training of a first model on pictures of about one size, in their order, and returns it.

        Raises InvalidName, ModelExists, TooFewPictures, TrainingBusy or InsufficientStorage.
        """
        self.require(name, len(pictures))
        now = self._clock()
        training = Training(token_hex(8), name, now, now, pictures=len(pictures))
        return self._begin(
            training,
            prepare=lambda folder: store(folder / PICTURES, pictures),
            order=lambda folder: TrainingOrder(folder, name, self._limits),
        )

    def stop(self) -> None:
        """See Runs; another server can use the folder then."""
        super().stop()
        self._held.close()

    def _publish(self, run: Training, result: dict[str, Any]) -> None:
        entry = self._made(run, partial(adopt, repository=self._repository))
        loaded = self._loaded(entry)
        notes = [str(note) for note in result["notes"]]
        if not loaded.known:
            notes.append("the model is written; the server loads it with its next scan of models_dir")
        self._change(
            run,
            version=entry.version,
            caution=str(result["caution"]),
            notes=tuple(notes),
            unlike=tuple(str(name) for name in result["unlike"]),
            **{"state": TrainingState.done} | loaded.problem,
        )
