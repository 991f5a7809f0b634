"""Runs units of work on one device."""

from collections.abc import Callable, Mapping
from typing import Any
from weakref import ref

import torch
from torch import Tensor

from app.pipeline import TiledModel
from app.scheduling.job import Batch, Job, Probe, Unit
from app.scheduling.work import Work
from app.tiling import Size

KEPT_VALUES = 2**24
"""The largest buffer for tiles that is reused for the next batch, in values: 64 MiB."""


def untested(device: int) -> None:
    """Tests nothing: the next unit of work shows whether the device works."""


def no_golden_sample(model: TiledModel) -> None:
    """Tests nothing: the model has no golden sample."""


class Execution:
    """Runs batches, steps and probes on the device with this number, in one thread. Reuses a buffer for tiles.

    A probe tests the device, and then the model whose work failed last, if it is still served.
    """

    def __init__(
        self,
        device: int,
        test_device: Callable[[int], object] = untested,
        test_model: Callable[[TiledModel], object] = no_golden_sample,
    ) -> None:
        self._device, self._test_device, self._test_model = device, test_device, test_model
        self._failed: ref[TiledModel] | None = None
        self._buffer: Tensor | None = None

    def attempt(self, unit: Unit, pictures: Mapping[Job, Work[Any]]) -> bool | Exception:
        """Runs the unit. Returns the exception; or whether a step was the last one before a batch; else True."""
        try:
            if isinstance(unit, Batch):
                self._run(unit, pictures)
                return True
            if isinstance(unit, Probe):
                self._probe()
                return True
            return pictures[unit.job].step(self._device)
        except Exception as error:  # any error concerns this unit only
            if unit.jobs:
                self._failed = ref(pictures[unit.jobs[0]].model(self._device))
            return error

    def _probe(self) -> None:
        self._test_device(self._device)
        model = None if self._failed is None else self._failed()
        if model is not None:
            self._test_model(model)
        self._failed = None

    def _run(self, batch: Batch, pictures: Mapping[Job, Work[Any]]) -> None:
        model = pictures[batch.jobs[0]].model(self._device)
        tiles = self._tiles(batch.tiles, batch.jobs[0].shape, model.device)
        bounds, end = [], 0
        for part in batch.ranges:
            start, end = end, end + len(part.indices)
            bounds.append((start, end))
            model.cut(pictures[part.job].prepared, part.indices, out=tiles[start:end])
        features = model.run(tiles)
        for part, (start, end) in zip(batch.ranges, bounds, strict=True):
            own = tuple(feature[start:end] for feature in features)
            pictures[part.job].take(own, last=part.indices.stop == part.job.tiles)

    def _tiles(self, count: int, shape: Size, device: torch.device) -> Tensor:
        """A tensor [count,3,h,w] for tiles. Up to KEPT_VALUES values use the same memory each time."""
        size = count, 3, *shape
        values = torch.Size(size).numel()
        if values > KEPT_VALUES:
            return torch.empty(size, device=device)
        if self._buffer is None or self._buffer.numel() < values:
            self._buffer = None  # frees the old buffer before the new one is allocated
            self._buffer = torch.empty(values, device=device)
        return self._buffer[:values].view(size)
