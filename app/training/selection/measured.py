"""What one group of candidates measures of pictures with and without defects."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Generator, Tensor

from app.detectors import Features
from app.pipeline import Roi
from app.training.selection.candidates import Candidate
from app.training.selection.comparison import Pairs
from app.training.selection.sharing import Group

SAMPLE = 2**14  # pixels of a normal map that stand for all


@dataclass(frozen=True, slots=True)
class Scored:
    """The map of a picture or region, and the inputs of the picture's score (Detector.image_score)."""

    anomaly_map: Tensor
    inputs: list[Features]


class Measured:
    """The measurements of a group: of normal pictures, and of each of them with one defect at a time."""

    def __init__(self, group: Group) -> None:
        self._group = group
        self._current: Scored | None = None  # the normal picture into which defects are drawn
        self._samples: list[NDArray[np.float32]] = []  # of each normal map, sorted
        self._normal: list[list[float]] = []  # for each picture, its scores by the members' rules
        self._marked: list[list[float]] = []  # for each defect, those of its picture
        self._values: list[NDArray[np.float32]] = []  # of the pixels of each defect

    def add_normal(self, scored: Scored, generator: Generator) -> None:
        """Takes the next normal picture."""
        self._current = scored
        self._normal.append(self._scores(scored))
        pixels = scored.anomaly_map.flatten()
        chosen = torch.randint(len(pixels), (SAMPLE,), generator=generator)
        self._samples.append(np.sort(pixels[chosen].numpy()))

    def add_marked(self, scored: Scored, roi: Roi, values: Tensor) -> None:
        """Takes the region around a defect in that picture, and the map's values at the defect's pixels.

        Outside the region, the picture is taken to measure as without the defect.
        """
        assert self._current is not None
        whole = self._current.anomaly_map.clone()
        whole[roi.top : roi.top + roi.height, roi.left : roi.left + roi.width] = scored.anomaly_map
        self._marked.append(self._scores(Scored(whole, [*self._current.inputs, *scored.inputs])))
        self._values.append(values.numpy())

    def results(self, owners: NDArray[np.int64]) -> list[tuple[Candidate, Pairs, Pairs]]:
        """For each candidate, the pairs of pictures' scores and of pixels; `owners` are the defects' pictures."""
        marked, normal = np.array(self._marked)[:, None], np.array(self._normal)[None]  # [m,1,k], [1,q,k]
        exceeded = (marked > normal) + 0.5 * (marked == normal)
        pixels = np.array([[_rank(values, sample) for sample in self._samples] for values in self._values])
        by_pixels = _summed(pixels, owners)
        return [
            (member.candidate, _summed(exceeded[:, :, number], owners), by_pixels)
            for number, member in enumerate(self._group.members)
        ]

    def _scores(self, scored: Scored) -> list[float]:
        members = (member.detector for member in self._group.members)
        return [float(detector.image_score(scored.anomaly_map, scored.inputs)) for detector in members]


def _rank(values: NDArray[np.float32], sample: NDArray[np.float32]) -> float:
    """The mean share of the sorted sample that the values exceed, ties counting half."""
    places = np.searchsorted(sample, values, "left") + np.searchsorted(sample, values, "right")
    return float(places.mean()) / (2 * len(sample))


def _summed(shares: NDArray[np.float64], owners: NDArray[np.int64]) -> Pairs:
    """Shares [m,q] of defects, summed up by the defects' pictures: [q,q]."""
    sums = np.zeros((shares.shape[1], shares.shape[1]))
    np.add.at(sums, owners, shares)
    return sums
