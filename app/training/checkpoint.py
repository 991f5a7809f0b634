"""The state of a training on disk, from which it goes on after it was killed."""

import pickle
from collections.abc import Callable, Mapping
from pathlib import Path
from time import monotonic
from typing import Any

import torch

from app.files import replacing

INTERVAL_S = 10.0
SHARE = 20  # how many times longer the training runs between two checkpoints than one takes to write


class Checkpoint:
    """A file that holds the newest state of one training, whole at any time.

    `digest` tells trainings apart: the state of another is not taken up. Writing is rare enough to cost little.
    """

    def __init__(self, path: Path, digest: str, clock: Callable[[], float] = monotonic) -> None:
        self.path, self._digest, self._clock = path, digest, clock
        self._last_s, self._write_s = clock(), 0.0

    def load(self) -> dict[str, Any] | None:
        """The state that was saved last, with tensors on the CPU; None without one, or of another training."""
        try:
            content = torch.load(self.path, map_location="cpu", weights_only=True)
        except FileNotFoundError:
            return None
        except (pickle.UnpicklingError, RuntimeError, EOFError, OSError, ValueError, LookupError):
            return None  # of another version or from elsewhere: the training starts anew, and overwrites it
        known = isinstance(content, dict) and content.get("digest") == self._digest
        return content["state"] if known else None

    def save_if_due(self, state: Callable[[], Mapping[str, Any]]) -> None:
        """Writes the state if the last time was long enough ago."""
        if self._clock() - self._last_s >= max(INTERVAL_S, SHARE * self._write_s):
            self.save(state())

    def save(self, state: Mapping[str, Any]) -> None:
        """Writes the state; a kill at any time leaves the old or the new one."""
        started = self._clock()
        with replacing(self.path) as temporary, temporary.open("wb") as file:
            torch.save({"digest": self._digest, "state": dict(state)}, file)
        self._last_s = self._clock()
        self._write_s = self._last_s - started

    def remove(self) -> None:
        """Removes the file, once the training is done."""
        self.path.unlink(missing_ok=True)
