"""Adds pictures to Gaussians at positions, by their moments."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from app.detectors.base import Detector, Features
from app.detectors.update import Update
from app.detectors.whitening import covariances_of, packed_in_place, unpacked, whiteners_of
from app.progress import Progress

if TYPE_CHECKING:
    from app.detectors.padim import Padim

TOGETHER = 8  # pictures whose embeddings are added to the scatter matrices in one product
POSITIONS = 2048


class GaussianUpdate(Update):
    """Recovers the scatter matrices from the whiteners, and adds to them what each picture counts at each position.

    The moments of two groups of pictures are merged as in Chan, Golub & LeVeque 1983, with a number of pictures for
    each position, because a part of a picture may not count.
    """

    def __init__(self, detector: "Padim", pictures: int, regularisation: float) -> None:
        self._detector, self._regularisation = detector.twin(), regularisation
        self._grid = detector.mean.shape[0], detector.mean.shape[1]
        channels, known = detector.n_features, int(detector.count)
        self._mean = detector.mean.flatten(0, 1).clone()  # [p,c]
        self._counts = torch.full((len(self._mean),), known, dtype=torch.float64, device=self._mean.device)  # [p]
        self._scatter = self._mean.new_empty(len(self._mean), channels, channels)
        for positions, whiteners in unpacked(detector.whitening, self._grid, channels):
            self._scatter[positions] = covariances_of(whiteners, regularisation).mul_(known - 1)
        self._waiting = self._mean.new_zeros(len(self._mean), min(TOGETHER, pictures), channels)
        self._waiting_counted = self._mean.new_zeros(len(self._mean), min(TOGETHER, pictures))  # 1: a picture counts
        self._filled = 0
        self._counted: list[Tensor] = []  # of each picture, [h,w] bool

    @property
    def detector(self) -> Detector:
        """See Update."""
        return self._detector

    def add(self, features: Features, top: int, left: int = 0, counted: Tensor | None = None) -> None:
        """See Update."""
        (embedding,) = features
        _, height, width = embedding.shape
        if top == left == 0:
            if self._filled == self._waiting.shape[1]:
                self._merge()
            self._filled += 1
            self._counted.append(torch.zeros(self._grid, dtype=torch.bool, device=self._mean.device))
        rows, columns = slice(top, top + height), slice(left, left + width)
        own = torch.ones(height, width) if counted is None else counted
        own = own.to(self._mean.device)
        self._waiting.view(*self._grid, *self._waiting.shape[1:])[rows, columns, self._filled - 1] = embedding.movedim(
            0, -1
        ).float()
        self._waiting_counted.view(*self._grid, -1)[rows, columns, self._filled - 1] = own.float()
        self._counted[-1][rows, columns] = own.bool()

    def _merge(self) -> None:
        for start in range(0, len(self._mean), POSITIONS):
            at = slice(start, start + POSITIONS)
            part, weights = self._waiting[at, : self._filled], self._waiting_counted[at, : self._filled, None]
            new, known = weights.sum(1), self._counts[at, None].float()  # [p,1]
            mean = (part * weights).sum(1) / new.clamp(min=1)
            offset = (mean - self._mean[at]) * (new > 0)
            between = (offset * (new * known / (new + known)).sqrt()).unsqueeze(1)
            rows = torch.cat([(part - mean.unsqueeze(1)) * weights, between], 1)  # [p,filled + 1,c]
            self._scatter[at].baddbmm_(rows.transpose(1, 2), rows)
            self._mean[at] += offset * (new / (new + known))
            self._counts[at] += new[:, 0]
        self._filled = 0

    def finish(self, progress: Progress) -> None:
        """Turns scatter matrices into whiteners, in their memory."""
        self._merge()
        positions = len(self._mean)
        self._scatter.div_((self._counts.float() - 1)[:, None, None])
        self._detector.whitening = packed_in_place(
            self._scatter,
            self._grid[1],
            lambda covariances: whiteners_of(covariances, self._regularisation),
            lambda done: progress("Gaussians", done, positions),
        )
        self._detector.mean = self._mean.view(*self._grid, -1)
        self._detector.count = self._counts.amin().long()
        self._waiting, self._waiting_counted = self._mean.new_empty(0), self._mean.new_empty(0)

    def folds(self, pictures: int) -> Sequence[range]:
        """Each picture alone, because a closed form leaves out one picture."""
        return [range(number, number + 1) for number in range(pictures)]

    @property
    def measures_others(self) -> bool:
        """See Fitter; the closed form holds for the picture that is left out."""
        return False

    def without(self, pictures: range) -> Detector:
        """See Fitter."""
        own = self._counted[pictures.start]
        return self._detector.without_own(self._counts.view(self._grid).masked_fill(~own, torch.inf))
