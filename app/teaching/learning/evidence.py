"""The evidence of a taught version: the normal patches of its base, and those that were learned."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from app.artifacts.evidence import MOST_NAME, MOST_PICTURES
from app.detectors import PatchSources
from app.errors import TesseraError
from app.pipeline import Grid, NormalPatches
from app.shown import printable
from app.training.evidence import small_copy
from app.training.plan import COPIES_MIB

MOST_COPY_BYTES = COPIES_MIB * 2**20 // 64
"""The largest small copy of a reviewed picture."""


@dataclass(frozen=True, slots=True)
class LearnedPicture:
    """A picture of which patches were learned.

    digest: of its file
    grid: its cells
    read: its pixels, see ReviewedPicture
    """

    name: str
    digest: str
    grid: Grid
    read: Callable[[], Tensor]


@dataclass(frozen=True, slots=True)
class JoinedEvidence:
    """The normal patches of a taught version.

    patches: without small copies of the pictures that were learned; None: there is no evidence
    known: the number of pictures of the base
    added: the pictures of the new rows, which follow those of the base
    """

    patches: NormalPatches | None
    known: int = 0
    added: tuple[LearnedPicture, ...] = ()

    def with_copies(self) -> NormalPatches | None:
        """The patches with a small copy of each added picture; without one for a picture that cannot be read any more.

        No copies are made if the base has none: a training can leave them out.
        """
        found = self.patches
        if found is None or not self.added or not any(found.reduced):
            return found
        most = min(MOST_COPY_BYTES, COPIES_MIB * 2**20 // len(self.added))
        copies = tuple(_copy(each, most) for each in self.added)
        return replace(found, reduced=(*found.reduced[: self.known], *copies))


def joined(
    known: NormalPatches | None, sources: PatchSources | None, pictures: Sequence[LearnedPicture]
) -> JoinedEvidence:
    """The evidence of the base, with the sources of the rows that were added to its bank.

    A detector without a bank keeps the sample of its training.
    """
    if known is None or sources is None:
        return JoinedEvidence(known)
    owners, cells = sources.pictures.cpu(), sources.cells.cpu()
    used, index = torch.unique(owners, return_inverse=True)
    if len(known.names) + len(used) > MOST_PICTURES:
        return JoinedEvidence(None)
    places = torch.empty_like(cells)
    for number in used.tolist():
        own = owners == number
        places[own] = pictures[number].grid.centres(cells[own])
    added = tuple(pictures[number] for number in used.tolist())
    patches = NormalPatches(
        (*known.names, *(printable(each.name)[-MOST_NAME:] for each in added)),
        (*known.sizes, *(each.grid.size for each in added)),
        torch.cat([known.pictures, (index + len(known.names)).to(torch.int32)]),
        torch.cat([known.places, places]),
        None,
        (*known.reduced, *(None for _ in added)),
    )
    return JoinedEvidence(patches, len(known.names), added)


def _copy(picture: LearnedPicture, most_bytes: int) -> bytes | None:
    try:
        return small_copy(picture.read(), most_bytes)
    except (TesseraError, OSError):  # removed since it was learned
        return None
