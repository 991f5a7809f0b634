"""Hooks that run before a model's network, to wait or to fail."""

from collections.abc import Callable
from dataclasses import replace
from threading import Semaphore

from torch import Tensor

from app.detectors import Features
from app.pipeline import TiledModel


class BeforeNetwork:
    """Replaces a model's network by one that first calls `action`, until `remove`."""

    def __init__(self, model: TiledModel, action: Callable[[], None]) -> None:
        self._model, self._execution, self._network = model, model.execution, model.network
        self._action = action
        self.kernels, self.precision = model.network.kernels, model.network.precision
        model.execution = replace(model.execution, network=self)

    def __call__(self, tiles: Tensor) -> Features:
        self._action()
        return self._network(tiles)

    def remove(self) -> None:
        self._model.execution = self._execution


class Turnstile:
    """Blocks a model's batches; `let` allows some of them, `open` all."""

    WAIT_S = 60.0  # machines can be busy

    def __init__(self, model: TiledModel) -> None:
        self._permits = Semaphore(0)
        self._hook = BeforeNetwork(model, self._enter)

    def let(self, batches: int) -> None:
        self._permits.release(batches)

    def open(self) -> None:
        """Allows all batches, and removes the hook."""
        self._hook.remove()
        self._permits.release(2**20)

    def _enter(self) -> None:
        assert self._permits.acquire(timeout=self.WAIT_S)
