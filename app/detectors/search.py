"""How a memory bank is searched."""

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor

from app.detectors.bounded import LARGEST, BoundedSearch, fast_codes
from app.detectors.nearest import nearest
from app.torch_private import changes

if TYPE_CHECKING:
    from app.detectors.grouped_search import GroupedSearch

_log = logging.getLogger(__name__)
SearchMode = Literal["auto", "exact", "approximate"]
SearchMethod = Literal["bounds", "kernels", "blocks"]
"""Rows ruled out by bounds on a CPU, fused kernels on a GPU, or all distances in blocks."""
TOLERANCE = 0.1  # of `approximate`: distances are at most 1 / (1 - 0.1) times the true ones
FEWEST_ROWS = 1024  # of a bank for which bounds pay


@dataclass(frozen=True, slots=True)
class SearchChoice:
    """What a search was chosen to be; of bounds, also the codes' type and the largest number of queries in a step."""

    mode: SearchMode
    method: SearchMethod
    codes: str | None = None
    queries_at_once: int | None = None


class BankSearch:
    """Nearest neighbours in a memory bank [M,C], with what is derived from it.

    Takes a bank of half precision in float32, which is what distances are computed in. `codes` is the type of the codes
    on a CPU, one of `fast_codes` (None: the first of these).
    """

    def __init__(self, bank: Tensor, mode: SearchMode, codes: torch.dtype | None = None) -> None:
        self._made_for = bank, changes(bank), mode, codes
        self._mode: SearchMode = mode
        tolerance = TOLERANCE if mode == "approximate" else 0.0
        with torch.inference_mode():
            self.bank = bank.float()
            self.bounded = _bounded_search(self.bank, tolerance, codes or fast_codes()[0])
            """What rules rows out by bounds; None where all distances are computed."""

    @property
    def choice(self) -> SearchChoice:
        """What the search is."""
        if self.bounded is None:
            return SearchChoice(self._mode, "blocks")
        if not isinstance(self.bounded, BoundedSearch):
            return SearchChoice(self._mode, "kernels")
        codes = str(self.bounded.codes).removeprefix("torch.")
        return SearchChoice(self._mode, "bounds", codes, self.bounded.queries_at_once)

    def is_for(self, bank: Tensor, mode: SearchMode, codes: torch.dtype | None) -> bool:
        """Whether it was made for this, and the bank has not changed since."""
        made_for, *others = self._made_for
        return made_for is bank and others == [changes(bank), mode, codes]

    @torch.inference_mode()
    def nearest(self, queries: Tensor) -> tuple[Tensor, Tensor]:
        """Distance to, and index of, the row that is nearest to each of queries [N,C] float32: [N], [N] int64.

        `approximate` may take another row, whose distance is too large by 11 % at most; `auto` is exact.
        """
        if self.bounded is None:
            return nearest(queries, self.bank)
        return self.bounded.nearest(queries)


def grouped_search(bank: Tensor, tolerance: float) -> "GroupedSearch | None":
    """The search of a bank on a GPU; none, and a line in the log, where its kernels cannot be had or run."""
    try:
        from app.detectors.grouped_search import GroupedSearch  # needs Triton, which comes with torch for CUDA on Linux

        return GroupedSearch(bank, tolerance)
    except Exception as error:  # Triton has many of them: no compiler, a GPU that it does not know, no cache to write
        reason = f"{type(error).__name__}: {error}"
        _log.warning("a memory bank on %s is searched in blocks, which is slower than fused: %s", bank.device, reason)
        return None


def _bounded_search(bank: Tensor, tolerance: float, codes: torch.dtype) -> "BoundedSearch | GroupedSearch | None":
    if len(bank) < FEWEST_ROWS or bank.device.type not in ("cpu", "cuda"):
        return None
    if not torch.linalg.vector_norm(bank, dim=1).amax().square() < LARGEST:  # or not finite
        return None
    if bank.device.type == "cuda":
        return grouped_search(bank, tolerance)
    return BoundedSearch(bank, codes, tolerance)
