"""What a training keeps beside the versions of its model until it has ended."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from app.errors import InvalidTraining
from app.files import locked

PREFIX = ".training-"
"""What the names of its files begin with."""


@contextmanager
def workspace(model: Path, digest: str) -> Iterator[Path]:
    """The path of a training's checkpoint in the folder of its model, until the end of the `with` block.

    Removes what other trainings of the model left that were killed. If the training fails and leaves no checkpoint, a
    folder that is empty then is removed. Raises InvalidTraining if the same training runs in another process.
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
                with suppress(OSError):  # it is not empty
                    model.rmdir()
    except BlockingIOError as error:
        raise InvalidTraining(
            f"this training of {model.name!r} runs already in another process; wait until it has ended, or train under "
            "another name"
        ) from error


def _remove_abandoned(model: Path, own: Path) -> None:
    """Removes the files of trainings that no process runs, but for the checkpoint of the one whose lock is `own`."""
    unfinished = f".{PREFIX}*.pt.*"  # checkpoints that were being written, see `replacing`
    for path in (*model.glob(f"{PREFIX}*"), *model.glob(unfinished)):
        name = f"{PREFIX}{path.name.partition(PREFIX)[2].partition('.')[0]}"
        lock = model / f"{name}.lock"
        if lock == own:
            continue
        with suppress(BlockingIOError):  # it runs
            lock.touch()
            with locked(lock, wait=False) as alone:
                if alone:
                    path.unlink(missing_ok=True)
                    lock.unlink(missing_ok=True)
