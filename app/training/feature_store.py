"""Keeps the features of pictures between the two passes of a cross-conformal training."""

import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import numpy as np
import torch

from app.detectors import Features
from app.evaluation.disk_array import DiskArray
from app.pipeline import Prepared

MOST_BYTES = 4 * 2**30
FREE_SHARE = 0.5
"""The largest share of the free space of the disk that is used."""


@dataclass(frozen=True, slots=True)
class _Stored:
    """A picture without its pixels, and the places of its features in the file, with their shapes channels last."""

    prepared: Prepared
    outputs: tuple[tuple[tuple[slice, torch.Size], ...], ...]


class FeatureStore:
    """Features of the first pictures, as many as fit, in an unnamed file, which is deleted when the store is closed.

    directory: where the file is
    most_bytes: the limit on the file; None: MOST_BYTES, and half of the free space
    """

    def __init__(self, directory: Path, most_bytes: int | None = None) -> None:
        free = int(shutil.disk_usage(directory).free * FREE_SHARE)
        self._room = min(MOST_BYTES, free) if most_bytes is None else most_bytes
        self._values = DiskArray(np.float32, directory)
        self._used = 0  # bytes
        self._pictures: list[_Stored] = []
        self._full = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._values.__exit__()

    def keep(self, prepared: Prepared, outputs: Iterable[Features]) -> Iterator[Features]:
        """Yields the outputs of the next picture, and stores them. Stops storing at the first picture without room."""
        places = []
        for features in outputs:
            self._full |= self._room < sum(4 * feature.numel() for feature in features)
            if not self._full:
                places.append(tuple(self._append(feature) for feature in features))
            yield features
        if not self._full:
            without_pixels = replace(prepared, pixels=prepared.pixels.new_empty(0))
            self._pictures.append(_Stored(without_pixels, tuple(places)))

    def missing_share(self, pictures: int) -> float:
        """The share, 0 to 1, of so many pictures that will have no room, if they are like those so far."""
        if not self._pictures:
            return 1.0
        room_of_one = self._used / len(self._pictures)
        return max(0.0, 1 - (self._used + self._room) / (room_of_one * pictures))

    def _append(self, feature: torch.Tensor) -> tuple[slice, torch.Size]:
        last = feature.movedim(1, -1).float().cpu().contiguous()
        self._room -= last.nbytes
        self._used += last.nbytes
        return self._values.append(last.view(-1).numpy()), last.shape

    def pictures(self, device: torch.device) -> Iterator[tuple[Prepared, Iterator[Features]]]:
        """Yields the stored pictures in their order, without pixels, each with its outputs on the device."""
        values = self._values.read()
        for stored in self._pictures:
            yield stored.prepared, (_loaded(values, places, device) for places in stored.outputs)


def _loaded(
    values: np.typing.NDArray[np.float32], places: tuple[tuple[slice, torch.Size], ...], device: torch.device
) -> Features:
    copies = (torch.from_numpy(values[place].copy()).view(shape) for place, shape in places)
    return tuple(each.movedim(-1, 1).to(device) for each in copies)
