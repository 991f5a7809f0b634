"""Doing something before a model's network runs: waiting, or failing."""

from collections.abc import Callable

from torch import Tensor

from app.detectors import Features
from app.pipeline import TiledModel


class BeforeNetwork:
    """Stands in front of a model's network, and calls `action` each time, until `remove`."""

    def __init__(self, model: TiledModel, action: Callable[[], None]) -> None:
        self._model, self._network, self._action = model, model.network, action
        self.runtime, self.precision = model.network.runtime, model.network.precision
        model.network = self

    def __call__(self, tiles: Tensor) -> Features:
        self._action()
        return self._network(tiles)

    def remove(self) -> None:
        self._model.network = self._network
