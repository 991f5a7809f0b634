"""Fits a memory bank: stores patches of the training pictures, and selects the rows of the bank from them."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from app.detectors.bank_whitening import WhiteningFit
from app.detectors.base import Detector, Features
from app.detectors.coreset import Selection, k_center_greedy, selection_seconds
from app.detectors.one_pass import Fitter, Forecast, PatchSources, contiguous_folds
from app.detectors.search import BankSearch, SearchMode
from app.detectors.update import cells_of
from app.errors import InvalidParameter
from app.progress import Progress
from app.trials import Timer

if TYPE_CHECKING:
    from app.detectors.patchcore import Patchcore

ROWS = 4096  # patches that the rows of a bank are compared with at a time
STORED_PER_ROW = 16  # the most patches that a picture of a full store contributes, for each row of the bank
FEWEST_PATCHES, TRIAL_PATCHES = 2048, 16384  # the numbers of patches in trials of the time

COMPARED_ROWS = 64  # of a bank, when copies are looked for
ROUNDING = 1e-4  # the largest distance of copies, as a share of the length of a patch
WHITENING = "whitening."  # the prefix of the whitening's tensors in a fitter's state


def stored_patches(detector: "Patchcore", pictures: int, cells: int) -> int:
    """The number of the patches that are stored of a picture with `cells` cells, of `pictures` pictures."""
    room = detector.max_store_mib * 2**20 // (4 * detector.embedding_size * pictures)
    if room >= cells:
        return cells
    return max(1, min(room, round(STORED_PER_ROW * detector.coreset_sampling_ratio * cells)))


class PatchStore(Fitter):
    """Stores all patches, or a selection of each picture's patches if the store is too small for all."""

    def __init__(self, detector: "Patchcore", pictures: int, grid: tuple[int, int]) -> None:
        self._detector, self._pictures, self._cells = detector, pictures, grid[0] * grid[1]
        quota = stored_patches(detector, pictures, self._cells)
        self._share = quota / self._cells
        room = pictures * quota
        self._patches = detector.memory_bank.new_empty(room, detector.embedding_size)
        self._owners = torch.empty(room, dtype=torch.int32, device=self._patches.device)  # the picture of each patch
        self._places = torch.empty(room, 2, dtype=torch.int32, device=self._patches.device)  # the cell of each patch
        self._stored = self._seen = self._added = 0
        self._whitening = None if detector.whitening is None else WhiteningFit(detector.whitening)
        self._selection: Selection | None = None
        self._copied = False  # whether pictures without any row in the bank are copies of those that have rows

    def add(self, features: Features, top: int, left: int = 0) -> None:
        """See Fitter. The numbers of patches taken from the bands of a picture are rounded to add up to its quota."""
        (embedding,) = features
        patches, places = embedding.flatten(1).T, cells_of(embedding, top, left)
        self._added += top == left == 0
        self._seen += len(patches)
        if self._whitening is not None:
            self._whitening.add(patches)
        room = min(int(self._seen * self._share + 1e-6), len(self._patches)) - self._stored
        if room < len(patches):
            if room <= 0:
                return
            patches = patches.contiguous()
            compared = patches if self._whitening is None else self._whitening.whitened_so_far(patches)
            chosen = k_center_greedy(compared, room)
            patches, places = patches[chosen], places[chosen]
        self._patches[self._stored : self._stored + len(patches)] = patches
        self._owners[self._stored : self._stored + len(patches)] = self._added - 1
        self._places[self._stored : self._stored + len(patches)] = places
        self._stored += len(patches)

    def finish(self, progress: Progress) -> None:
        """Selects the memory bank, starting at a patch drawn from the global random generator."""
        count = self._bank_rows(self._seen, self._stored)
        if count == 0:
            raise InvalidParameter(
                f"coreset_sampling_ratio {self._detector.coreset_sampling_ratio} leaves none of {self._seen} patches; "
                f"use at least {1 / max(self._seen, 1):.2g}"
            )
        patches, self._owners = self._patches[: self._stored], self._owners[: self._stored]
        self._places = self._places[: self._stored]
        if self._whitening is not None:
            self._whitening.finish(patches)
        if count < self._stored:
            first = int(torch.randint(self._stored, ()))
            report = lambda done, total: progress("coreset", done, total)  # noqa: E731
            chosen = k_center_greedy(patches, count, first, report, known=self._selection, keep=self._keep)
            owners, everything = self._owners, patches
            patches, self._owners, self._places = patches[chosen], owners[chosen], self._places[chosen]
            self._copied = self._of_one_fold() and _has_copies(patches, everything[~torch.isin(owners, self._owners)])
        self._detector.memory_bank = patches.to(getattr(torch, self._detector.precision))
        self._patches = patches.new_empty(0)

    def folds(self, pictures: int) -> Sequence[range]:
        """See Fitter."""
        return contiguous_folds(pictures)

    def without(self, pictures: range) -> Detector:
        """The detector whose memory bank lacks the rows of these pictures.

        A coreset of the other pictures alone may have rows near the missing ones, so that its distances are rather
        smaller than these. If all rows belong to these pictures, and the others are copies, the others have the same
        rows, and the bank stays whole. Raises InvalidParameter if the others are no copies.
        """
        bank = self._detector.memory_bank
        kept = (self._owners < pictures.start) | (self._owners >= pictures.stop)
        if self._copied and not kept.any():
            kept = ~kept
        if not kept.any():
            raise InvalidParameter(
                f"all {len(bank)} rows of the memory bank are patches of {len(pictures)} of {self._added} pictures, so "
                "that the others cannot be compared with them; use a larger coreset_sampling_ratio than "
                f"{self._detector.coreset_sampling_ratio}, or the calibration HoldOut"
            )
        twin = self._detector.twin()
        twin.memory_bank = bank[kept]
        twin.bank_search()  # built once, before several threads measure by it
        return twin

    def sources(self) -> PatchSources:
        """See Fitter; those of the rows of the memory bank."""
        return PatchSources(self._owners, self._places)

    def _of_one_fold(self) -> bool:
        """Whether all rows of the bank are patches of the pictures of one fold."""
        first, last = int(self._owners.min()), int(self._owners.max())
        return any(first in fold and last in fold for fold in self.folds(self._added))

    def _keep(self, selection: Selection) -> None:
        self._selection = selection

    def _bank_rows(self, seen: int, stored: int) -> int:
        return min(int(seen * self._detector.coreset_sampling_ratio), stored)

    def forecast(self, seconds: Timer) -> Forecast | None:
        """See Fitter. The sample is spread over all patches that were stored; a part of it serves as a memory bank."""
        if self._stored < FEWEST_PATCHES:
            return None
        sample = self._patches[: self._stored : -(-self._stored // TRIAL_PATCHES)]
        scale = self._pictures / self._added
        stored, seen = min(round(self._stored * scale), len(self._patches)), round(self._seen * scale)
        rows = max(self._bank_rows(seen, stored), 1)
        coreset_s = selection_seconds(sample, stored, rows, seconds) if rows < stored else 0.0
        bank, queries = sample[::4].contiguous(), sample[1::4].contiguous()
        search = BankSearch(bank, SearchMode.exact, None)
        a_pair_s = seconds(lambda: search.nearest(queries)) / (len(bank) * len(queries))
        return Forecast({"coreset": coreset_s}, a_pair_s * rows * self._seen / self._added)

    def state(self) -> dict[str, Tensor]:
        counts = torch.tensor([self._stored, self._seen, self._added])
        patches, owners, places = (each[: self._stored] for each in (self._patches, self._owners, self._places))
        found = {"counts": counts, "patches": patches, "owners": owners, "places": places}
        if self._selection is not None:
            found |= {"chosen": self._selection.chosen, "bounds": self._selection.bounds}
        if self._whitening is not None:
            found |= {WHITENING + name: tensor for name, tensor in self._whitening.state().items()}
        return found

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        self._stored, self._seen, self._added = state["counts"].tolist()
        self._patches[: self._stored] = state["patches"]
        self._owners[: self._stored] = state["owners"]
        self._places[: self._stored] = state["places"]
        if "chosen" in state:
            self._selection = Selection(state["chosen"], state["bounds"])
        if self._whitening is not None:
            whitening = {name: tensor for name, tensor in state.items() if name.startswith(WHITENING)}
            self._whitening.load_state({name.removeprefix(WHITENING): tensor for name, tensor in whitening.items()})


def _has_copies(rows: Tensor, patches: Tensor) -> bool:
    """Whether each of the first rows of a bank is equal to one of the patches, except for rounding."""
    sample = rows[:COMPARED_ROWS]
    if not len(patches):
        return False
    exact = "donot_use_mm_for_euclid_dist"
    nearest = torch.stack(
        [torch.cdist(sample, part, compute_mode=exact).amin(1) for part in torch.split(patches, ROWS)]
    )
    return bool((nearest.amin(0) <= ROUNDING * torch.linalg.vector_norm(sample, dim=1)).all())
