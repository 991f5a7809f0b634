"""The files of a running training, in the folder of its model."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from app.artifacts.repository import TRAINING as PREFIX
from app.errors import InvalidTraining
from app.files import locked, sweep


@contextmanager
def workspace(model: Path, digest: str) -> Iterator[Path]:
    """The path of a training's checkpoint, which no other process uses until the end of the `with` block.

    Removes the files of other trainings of the model that were killed. Removes the model's folder if it is empty at the
    end, as after a training that failed without a checkpoint. Raises InvalidTraining if the same training runs in
    another process.
    """
    name = f"{PREFIX}{digest[:12]}"
    lock = model / f"{name}.lock"
    lock.touch()
    try:
        with locked(lock, wait=False):
            try:
                _remove_abandoned(model, lock)
                yield model / f"{name}.pt"
            finally:
                lock.unlink(missing_ok=True)
                with suppress(OSError):  # the folder is not empty
                    model.rmdir()
    except BlockingIOError as error:
        raise InvalidTraining(
            f"this training of {model.name!r} runs already in another process; wait until it has ended, or train under "
            "another name"
        ) from error


def _remove_abandoned(model: Path, own: Path) -> None:
    """Removes the files of trainings that no process runs, except those of the training whose lock is `own`."""
    sweep(model)  # incomplete checkpoints, see `replacing`
    for path in model.glob(f"{PREFIX}*"):
        name = f"{PREFIX}{path.name.partition(PREFIX)[2].partition('.')[0]}"
        lock = model / f"{name}.lock"
        if lock == own:
            continue
        with suppress(BlockingIOError):  # the training runs
            lock.touch()
            with locked(lock, wait=False) as alone:
                if alone:
                    path.unlink(missing_ok=True)
                    lock.unlink(missing_ok=True)
