"""Updates: a fitted detector learns further normal pictures, without those that it was fitted to."""

from typing import Protocol

import torch
from torch import Tensor

from app.detectors.base import Detector, Features
from app.detectors.one_pass import Fitter, PatchSources


class Update(Fitter, Protocol):
    """Adds normal pictures to the state of a fitted detector, as a fitter does, into a detector of its own.

    The fitted detector does not change. Folds are those of the added pictures: the pictures that the detector was
    fitted to belong to none.
    """

    @property
    def detector(self) -> Detector:
        """The detector that has learned, after `finish`. It shares the network of the fitted detector."""

    def add(self, features: Features, top: int, left: int = 0, counted: Tensor | None = None) -> None:
        """See Fitter. `counted` [rows,w] bool says which cells of the first feature are learned; None: all cells."""

    def sources(self) -> PatchSources | None:
        """The sources of the patches that were added at the end of `normal_patches`; None: the detector has none."""
        return None


def cells_of(embedding: Tensor, top: int, left: int) -> Tensor:
    """The rows and columns [p,2] int32 of the cells of a band [C,rows,w] of a picture."""
    rows, columns = (
        torch.arange(first, first + count, dtype=torch.int32, device=embedding.device)
        for first, count in zip((top, left), embedding.shape[1:], strict=True)
    )
    return torch.cartesian_prod(rows, columns).view(-1, 2)


def counted_patches(embedding: Tensor, counted: Tensor | None) -> Tensor:
    """The patches [p,C] of those cells of a band [C,rows,w] that count."""
    patches = embedding.flatten(1).T
    return patches if counted is None else patches[counted.flatten().to(patches.device)]
