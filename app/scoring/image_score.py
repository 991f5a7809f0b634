"""The rules by which a picture's score is made, and the mean of a map's highest values.

AnomalyDINO (Damm et al. 2024, arXiv:2405.14529) scores a picture by the mean of the highest 1 % of its patches'
distances. Defects have a smaller share of large pictures, so here it is the highest 0.1 % of the map's pixels.
"""

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


def mean_of_highest(anomaly_map: Tensor) -> Tensor:
    """The mean of the highest 0.1 % of a map's values, at least one: a scalar of float32; NaN if any value is NaN.

    A GPU selects the values without waiting for the host.
    """
    values = anomaly_map.flatten()
    count = max(1, len(values) // VALUES_PER_HIGHEST)
    if values.device.type == "cpu":
        highest = torch.from_numpy(_highest(values.numpy(), count))
    else:
        highest = values.topk(count, sorted=False).values
    return highest.mean(dtype=torch.float64).float()


def _highest(values: NDArray[np.float32], count: int) -> NDArray[np.float32]:
    """The `count` highest values, NaN before all others, in memory for 3 * `count` + PART values.

    torch's topk on a CPU needs 16 bytes for each value of the whole map.
    """
    found, candidates, limit = 0, [np.empty(0, np.float32)], np.nan  # NaN excludes nothing
    for start in range(0, len(values), PART):
        part = values[start : start + PART]
        candidates.append(part[~(part <= limit)])
        found += len(candidates[-1])
        if found >= 2 * count:
            candidates = [_partitioned(candidates, count)]
            found, limit = count, candidates[0][0]
    return _partitioned(candidates, count)


def _partitioned(candidates: list[NDArray[np.float32]], count: int) -> NDArray[np.float32]:
    """The `count` highest values of all candidates, the lowest of them first."""
    return np.partition(np.concatenate(candidates), -count)[-count:]
