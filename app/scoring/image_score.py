"""The rules by which a picture's score is made, and the scores that are made of a map, part by part.

AnomalyDINO (Damm et al. 2024, arXiv:2405.14529) scores a picture by the mean of the highest 1 % of its patches'
distances. Defects have a smaller share of large pictures, so here it is the highest 0.1 % of the map's pixels.
"""

from abc import ABC, abstractmethod
from enum import StrEnum

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

VALUES_PER_HIGHEST = 1000
"""One value of so many is among the highest."""
PART = 2**16  # values that are compared at once: they stay in the processor's cache


class ScoreRule(StrEnum):
    """How a picture's score is made: of its most distant patch (patch), as the largest value of its map (map), or as
    the mean of the highest 0.1 % of the values of its map (top). New values may be added.
    """

    patch = "patch"
    map = "map"
    top = "top"


class MapScore(ABC):
    """A score that is made of a picture's map. It takes the map's values part by part, in any order."""

    @abstractmethod
    def add(self, values: Tensor) -> None:
        """Takes a part of the map: float32, of any shape, not empty."""

    @abstractmethod
    def value(self) -> Tensor:
        """The score of all values together, a scalar of float32; NaN if any value is NaN."""

    @abstractmethod
    def kept(self) -> Tensor | None:
        """Values [n] that stand for all values so far: another score to which they are added goes on from there."""


class Largest(MapScore):
    """The largest value."""

    def __init__(self) -> None:
        self._found: Tensor | None = None

    def add(self, values: Tensor) -> None:
        """See MapScore."""
        own = values.amax()
        self._found = own if self._found is None else torch.maximum(self._found, own)

    def value(self) -> Tensor:
        """See MapScore."""
        assert self._found is not None
        return self._found

    def kept(self) -> Tensor | None:
        """See MapScore."""
        return None if self._found is None else self._found.reshape(1)


class MeanOfHighest(MapScore):
    """The mean of the highest 0.1 % of `total` values, at least one. A GPU selects them without waiting for the host.

    Memory holds 3 values for each of the highest, and PART.
    """

    def __init__(self, total: int) -> None:
        self._count = max(1, total // VALUES_PER_HIGHEST)
        self._limit: np.float32 = np.float32(np.nan)  # NaN excludes nothing
        self._candidates: list[NDArray[np.float32]] = []  # on the host: the values that are not known to be too low
        self._waiting = 0  # of these, those that were added since the last selection
        self._highest: Tensor | None = None  # on a GPU

    def add(self, values: Tensor) -> None:
        """See MapScore."""
        flat = values.flatten()
        if flat.device.type == "cpu":
            self._add_on_host(flat.numpy())
        else:
            known = flat if self._highest is None else torch.cat([self._highest, flat])
            self._highest = known.topk(min(self._count, len(known)), sorted=False).values

    def value(self) -> Tensor:
        """See MapScore."""
        highest = self._highest
        if highest is None:
            highest = torch.from_numpy(_partitioned(self._candidates, self._count))
        return highest.mean(dtype=torch.float64).float()

    def kept(self) -> Tensor | None:
        """See MapScore."""
        if self._highest is not None or not self._candidates:
            return self._highest
        return torch.from_numpy(np.concatenate(self._candidates))

    def _add_on_host(self, values: NDArray[np.float32]) -> None:
        """torch's topk on a CPU needs 16 bytes for each value of the whole map."""
        for start in range(0, len(values), PART):
            part = values[start : start + PART]
            self._candidates.append(part[~(part <= self._limit)])
            self._waiting += len(self._candidates[-1])
            if self._waiting >= 2 * self._count:
                self._candidates, self._waiting = [_partitioned(self._candidates, self._count)], self._count
                self._limit = self._candidates[0][0]


def mean_of_highest(anomaly_map: Tensor) -> Tensor:
    """The score `MeanOfHighest` of a whole map, a scalar of float32."""
    found = MeanOfHighest(anomaly_map.numel())
    found.add(anomaly_map)
    return found.value()


def _partitioned(candidates: list[NDArray[np.float32]], count: int) -> NDArray[np.float32]:
    """The `count` highest values of all candidates, NaN before all others, the lowest of them first."""
    return np.partition(np.concatenate(candidates), -count)[-count:]
