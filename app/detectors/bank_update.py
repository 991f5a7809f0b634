"""Adds rows to a memory bank, by continuing the selection that made it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from app.detectors.base import Detector, Features
from app.detectors.coreset import Selection, k_center_greedy
from app.detectors.one_pass import PatchSources, contiguous_folds
from app.detectors.update import Update, cells_of, counted_patches
from app.progress import Progress

if TYPE_CHECKING:
    from app.detectors.patchcore import Patchcore

LAST_ROWS = 64
MOST_ADDED = 1.0
"""The largest number of rows that are added, as a share of those of the bank: a search takes at most twice as long."""


@dataclass(frozen=True, slots=True)
class _Candidates:
    """Patches that may become rows.

    patches: [n,C] float32, whitened if the bank is
    distances: [n] to the bank
    cells: [n,2] int32
    """

    patches: Tensor
    distances: Tensor
    cells: Tensor

    def farthest(self, count: int) -> "_Candidates":
        """At most `count` of them, each far from the bank and from the others."""
        if len(self.patches) <= count:
            return self
        chosen = k_center_greedy(self.patches, count, int(self.distances.argmax()))
        return _Candidates(self.patches[chosen], self.distances[chosen], self.cells[chosen])


def _joined(parts: Sequence[_Candidates]) -> _Candidates:
    patches, distances, cells = (
        [each.patches for each in parts],
        [each.distances for each in parts],
        [each.cells for each in parts],
    )
    return _Candidates(torch.cat(patches), torch.cat(distances), torch.cat(cells))


class BankUpdate(Update):
    """Continues the farthest-first selection with the rows of the bank as its first centres, so that they stay.

    Of the added patches, at most the share `coreset_sampling_ratio` becomes rows, and none that is nearer to a row than
    the bank's rows are to each other: such a patch is known already. At most MOST_ADDED times as many rows are added as
    the bank has, the farthest ones, unless the bank has all patches. A whitening stays as it was fitted. The patches
    that wait for the selection take `max_store_mib`, divided equally among the pictures.
    """

    def __init__(self, detector: "Patchcore", pictures: int) -> None:
        self._fitted, self._detector = detector, detector.twin()
        self._complete = detector.coreset_sampling_ratio == 1  # a bank of all patches has no spacing
        self._spacing = 0.0 if self._complete else spacing(detector.memory_bank.float())
        self._room = max(detector.max_store_mib * 2**20 // (4 * detector.embedding_size * pictures), 1)  # of a picture
        self._seen = self._added = 0
        device, channels = detector.memory_bank.device, detector.embedding_size
        none = torch.empty(0, channels, device=device), torch.empty(0, device=device)
        self._none = _Candidates(*none, torch.empty(0, 2, dtype=torch.int32, device=device))
        self._current = self._none  # of the last picture
        self._chosen: list[_Candidates] = []  # of each of the other pictures
        self._owners = torch.empty(0, dtype=torch.int32, device=device)  # of the rows that were added
        self._cells = self._none.cells

    @property
    def detector(self) -> Detector:
        """See Update."""
        return self._detector

    def add(self, features: Features, top: int, left: int = 0, counted: Tensor | None = None) -> None:
        """See Update."""
        (embedding,) = features
        if top == left == 0:
            self._end_picture()
            self._added += 1
        patches, cells = counted_patches(embedding, counted).float().contiguous(), cells_of(embedding, top, left)
        if counted is not None:
            cells = cells[counted.flatten().to(cells.device)]
        self._seen += len(patches)
        if not len(patches):
            return
        if self._fitted.whitening is not None:
            patches = self._fitted.whitening(patches)
        distances, _ = self._fitted.bank_search().nearest(patches)
        new = distances > self._spacing
        self._current = _joined([self._current, _Candidates(patches[new], distances[new], cells[new])])
        if len(self._current.patches) > 2 * self._room:
            self._current = self._current.farthest(self._room)

    def _end_picture(self) -> None:
        if self._added:
            self._chosen.append(self._current.farthest(self._room))
        self._current = self._none

    def finish(self, progress: Progress) -> None:
        """Selects the rows that are added."""
        self._end_picture()
        bank, found = self._fitted.memory_bank, _joined([self._none, *self._chosen])
        counts = torch.tensor([len(each.patches) for each in self._chosen], dtype=torch.int64)
        owners = torch.arange(len(counts), dtype=torch.int32).repeat_interleave(counts)
        self._chosen = []
        most = int(self._seen * self._fitted.coreset_sampling_ratio)
        if not self._complete:
            most = min(most, int(MOST_ADDED * len(bank)))
        count = min(most, len(found.patches))
        if not count:
            return
        known = Selection(
            torch.arange(len(bank), device=bank.device),
            torch.cat([found.distances.new_zeros(len(bank)), found.distances.square()]),
        )
        report = lambda done, total: progress("coreset", done - len(bank), total - len(bank))  # noqa: E731
        points = torch.cat([bank.float(), found.patches])
        chosen = k_center_greedy(points, len(bank) + count, progress=report, known=known, spacing=self._spacing)
        chosen = chosen[len(bank) :] - len(bank)
        self._owners, self._cells = owners.to(bank.device)[chosen], found.cells[chosen]
        self._detector.memory_bank = torch.cat([bank, found.patches[chosen].to(bank.dtype)])

    def folds(self, pictures: int) -> Sequence[range]:
        """See Fitter."""
        return contiguous_folds(pictures)

    def without(self, pictures: range) -> Detector:
        """The detector whose memory bank lacks the rows that these pictures have added."""
        kept = (self._owners < pictures.start) | (self._owners >= pictures.stop)
        if kept.all():
            return self._detector
        bank, fitted = self._detector.memory_bank, len(self._fitted.memory_bank)
        twin = self._detector.twin()
        twin.memory_bank = torch.cat([bank[:fitted], bank[fitted:][kept]])
        return twin

    def sources(self) -> PatchSources:
        """See Update."""
        return PatchSources(self._owners, self._cells)


def spacing(bank: Tensor) -> float:
    """The smallest distance of the last rows [n,C] float32 of a bank to the other rows.

    Farthest-first selection adds rows at ever smaller distances, so that no two rows of its bank are nearer.
    """
    if len(bank) < 2:
        return 0.0
    last = range(max(len(bank) - LAST_ROWS, 0), len(bank))
    exact = "donot_use_mm_for_euclid_dist"
    distances = torch.cdist(bank[last.start :], bank, compute_mode=exact)
    distances[torch.arange(len(last)), torch.tensor(last)] = torch.inf
    return float(distances.amin())
