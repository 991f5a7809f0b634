"""Searches a memory bank for nearest neighbours, by the method that suits the device."""

import logging
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from app.detectors.bounded import LARGEST, BoundedSearch, fast_codes
from app.detectors.nearest import nearest
from app.torch_private import change_count

if TYPE_CHECKING:
    from app.detectors.grouped_search import GroupedSearch

_log = logging.getLogger(__name__)
TOLERANCE = 0.1  # of the mode `approximate`: distances are at most 1 / (1 - 0.1) times the true distances
FEWEST_ROWS = 1024  # smaller banks are searched in blocks, because bounds do not pay


class SearchMode(StrEnum):
    """The requested accuracy of a search: `auto` and `exact` find the nearest row; `approximate` may return a row whose
    distance is at most 11 % larger.
    """

    auto = "auto"
    exact = "exact"
    approximate = "approximate"


class SearchMethod(StrEnum):
    """The algorithm of a search: bounds rule out rows (bounds), fused kernels of a GPU (kernels), or all distances are
    computed (blocks). New values may be added.
    """

    bounds = "bounds"
    kernels = "kernels"
    blocks = "blocks"


class Codes(StrEnum):
    """The number format of the codes from which bounds are computed. New values may be added."""

    int8 = "int8"
    bfloat16 = "bfloat16"
    float32 = "float32"


@dataclass(frozen=True, slots=True)
class SearchChoice:
    """The mode and the method of a search."""

    mode: SearchMode
    method: SearchMethod
    codes: Codes | None = None  # with `bounds`: the dtype of the codes
    queries_at_once: int | None = None  # with `bounds`: the largest number of queries in a step


class BankSearch:
    """Nearest neighbours in a memory bank [M,C]. Holds the data that is derived from the bank.

    A bank in half precision is converted to float32, in which distances are computed. `codes` is the dtype of the codes
    on a CPU, one of `fast_codes` (None: the first of these).
    """

    def __init__(self, bank: Tensor, mode: SearchMode, codes: torch.dtype | None = None) -> None:
        self._made_for = bank, change_count(bank), mode, codes
        self._mode = mode
        tolerance = TOLERANCE if mode is SearchMode.approximate else 0.0
        with torch.inference_mode():
            self.bank = bank.float()
            self.bounded = _bounded_search(self.bank, tolerance, codes or fast_codes()[0])
            """The search by bounds or kernels; None if all distances are computed."""

    @property
    def choice(self) -> SearchChoice:
        if self.bounded is None:
            return SearchChoice(self._mode, SearchMethod.blocks)
        if not isinstance(self.bounded, BoundedSearch):
            return SearchChoice(self._mode, SearchMethod.kernels)
        codes = Codes(str(self.bounded.codes).removeprefix("torch."))
        return SearchChoice(self._mode, SearchMethod.bounds, codes, self.bounded.queries_at_once)

    def is_valid_for(self, bank: Tensor, mode: SearchMode, codes: torch.dtype | None) -> bool:
        """Whether the search was made with these arguments, and the bank has not changed since."""
        made_for, *others = self._made_for
        return made_for is bank and others == [change_count(bank), mode, codes]

    @torch.inference_mode()
    def nearest(self, queries: Tensor) -> tuple[Tensor, Tensor]:
        """Distance to, and index of, the row that is nearest to each of queries [N,C] float32: [N], [N] int64.

        The mode `approximate` may return another row, at most 11 % farther than the nearest; other modes are exact.
        """
        if self.bounded is None:
            return nearest(queries, self.bank)
        return self.bounded.nearest(queries)


def grouped_search(bank: Tensor, tolerance: float) -> "GroupedSearch | None":
    """The search of a bank on a GPU. If its kernels cannot be imported, compiled or run, logs that and returns None."""
    try:
        from app.detectors.grouped_search import GroupedSearch  # needs Triton, which comes with torch for CUDA on Linux

        return GroupedSearch(bank, tolerance)
    except Exception as error:  # Triton raises many kinds: no compiler, an unknown GPU, no writable cache
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
