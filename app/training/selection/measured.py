"""What one group of candidates measures of pictures with and without defects."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Generator, Tensor

from app.detectors import Features
from app.pipeline import Roi
from app.training.selection.candidates import Candidate
from app.training.selection.comparison import Shares
from app.training.selection.sharing import Group

SAMPLE = 2**14  # pixels of a normal map that stand for all


@dataclass(frozen=True, slots=True)
class Scored:
    """The map of a picture or region, the inputs of its score (Detector.image_score), and the distances of cells."""

    anomaly_map: Tensor
    inputs: list[Features]
    distances: Features


class Measured:
    """The measurements of a group: of normal pictures, and of each of them with one defect at a time."""

    def __init__(self, group: Group) -> None:
        self._group = group
        self._current: Scored | None = None  # the normal picture into which defects are drawn
        self._samples: list[NDArray[np.float32]] = []  # of each normal map, sorted
        self._normal: list[list[float]] = []  # for each picture, its scores by the members' rules
        self._marked: list[list[float]] = []  # for each defect, those of its picture
        self._owners: list[int] = []  # for each defect, the number of its picture
        self._values: list[NDArray[np.float32]] = []  # of the pixels of each defect

    def add_normal(self, scored: Scored, generator: Generator) -> None:
        """Takes the next normal picture."""
        self._current = scored
        self._normal.append(self._scores(scored.anomaly_map, scored.inputs))
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
        inputs = [*self._current.inputs, *scored.inputs]
        self._marked.append(self._scores(whole, inputs))
        self._owners.append(len(self._normal) - 1)
        self._values.append(values.numpy())

    @property
    def distances(self) -> Features:
        """Those of the current picture's cells."""
        assert self._current is not None
        return self._current.distances

    def results(self) -> list[tuple[Candidate, Shares, Shares]]:
        """For each candidate, the shares by pictures' scores and by pixels.

        A picture with a high score exceeds most others even without a defect. Its share before the defect, less 1/2, is
        subtracted. The mean of all these is 0, so that only the error becomes smaller.
        """
        marked, normal = np.array(self._marked)[:, None], np.array(self._normal)[None]  # [m,1,k], [1,q,k]
        before = np.array(self._normal)[self._owners][:, None]  # [m,1,k]
        exceeded = _exceeded(marked, normal) - _exceeded(before, normal) + 0.5
        pixels = np.array([[_rank(values, sample) for sample in self._samples] for values in self._values])
        members = enumerate(self._group.members)
        return [(member.candidate, exceeded[:, :, number], pixels) for number, member in members]

    def _scores(self, anomaly_map: Tensor, inputs: list[Features]) -> list[float]:
        members = (member.detector for member in self._group.members)
        return [float(detector.image_score(anomaly_map, inputs)) for detector in members]


def _exceeded(scores: NDArray[np.float64], others: NDArray[np.float64]) -> NDArray[np.float64]:
    """1 where scores exceed others, 1/2 where they are equal, else 0."""
    found: NDArray[np.float64] = (scores > others) + 0.5 * (scores == others)
    return found


def _rank(values: NDArray[np.float32], sample: NDArray[np.float32]) -> float:
    """The mean share of the sorted sample that the values exceed, ties counting half."""
    places = np.searchsorted(sample, values, "left") + np.searchsorted(sample, values, "right")
    return float(places.mean()) / (2 * len(sample))
