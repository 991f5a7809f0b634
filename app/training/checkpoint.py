"""The state of a training on disk, from which the training continues after it was killed."""

import pickle
from collections.abc import Callable, Mapping
from pathlib import Path
from time import monotonic
from typing import Any

import torch

from app.files import replacing

INTERVAL_S = 10.0  # the shortest time between two checkpoints
MIN_WRITE_INTERVALS = 20  # the time between two checkpoints is at least this many times the time that writing one takes


class Checkpoint:
    """A file with the latest state of one training, which is replaced atomically.

    `digest` identifies the training: the state of another training is ignored. Writing takes at most about
    1 / MIN_WRITE_INTERVALS of
    the time.
    """

    def __init__(self, path: Path, digest: str, clock: Callable[[], float] = monotonic) -> None:
        self.path, self._digest, self._clock = path, digest, clock
        self._last_s, self._write_s = clock(), 0.0

    def load(self, *, mapped: bool = False) -> dict[str, Any] | None:
        """The state that was saved last, with tensors on the CPU; None: there is none of this training.

        The memory of `mapped` tensors is the file, so that they are copied only once.
        """
        try:
            content = torch.load(self.path, map_location="cpu", weights_only=True, mmap=mapped)
        except FileNotFoundError:
            return None
        except (pickle.UnpicklingError, RuntimeError, EOFError, OSError, ValueError, LookupError):
            return None  # another version or another program wrote it: the training starts anew, and replaces the file
        known = isinstance(content, dict) and content.get("digest") == self._digest
        return content["state"] if known else None

    @property
    def is_due(self) -> bool:
        """Whether enough time has passed since the last checkpoint."""
        return self._clock() - self._last_s >= max(INTERVAL_S, MIN_WRITE_INTERVALS * self._write_s)

    def save_if_due(self, state: Callable[[], Mapping[str, Any]]) -> None:
        """Writes the state if a checkpoint is due."""
        if self.is_due:
            self.save(state())

    def save(self, state: Mapping[str, Any]) -> None:
        """Writes the state. A process that is killed at any time leaves the old or the new state."""
        started = self._clock()
        with replacing(self.path) as temporary, temporary.open("wb") as file:
            torch.save({"digest": self._digest, "state": dict(state)}, file)
        self._last_s = self._clock()
        self._write_s = self._last_s - started

    def remove(self) -> None:
        """Removes the file, if it exists."""
        self.path.unlink(missing_ok=True)
