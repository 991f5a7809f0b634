"""Doing something before a model's network runs: waiting, or failing."""

from collections.abc import Callable
from dataclasses import replace
from threading import Semaphore

from torch import Tensor

from app.detectors import Features
from app.pipeline import TiledModel


class BeforeNetwork:
    """Stands in front of a model's network, and calls `action` each time, until `remove`."""

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
    """Holds a model's batches, and lets as many through as it is told."""

    WAIT_S = 60.0  # machines can be busy

    def __init__(self, model: TiledModel) -> None:
        self._permits = Semaphore(0)
        self._hook = BeforeNetwork(model, self._enter)

    def let(self, batches: int) -> None:
        self._permits.release(batches)

    def open(self) -> None:
        """Holds nothing any more."""
        self._hook.remove()
        self._permits.release(2**20)

    def _enter(self) -> None:
        assert self._permits.acquire(timeout=self.WAIT_S)
