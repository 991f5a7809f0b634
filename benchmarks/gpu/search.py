"""The search of memory banks: the program's own beside blocks, `cdist`, and one half-precision product with top-1.

Banks and queries are synthetic: points of a 32-dimensional subspace with a little noise, similar to patches of real
pictures. All searches but the product are exact.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from app.detectors import SearchMode
from app.detectors.nearest import nearest
from app.detectors.search import BankSearch
from app.runtime.network import DTYPES
from benchmarks.gpu.setting import Setting

DIMENSIONS, NOISE = 32, 0.05
FEWER_QUERIES_FROM = 200_000  # rows
PART = 65_536  # rows of the bank per matrix of distances
Search = Callable[[Tensor], tuple[Tensor, Tensor]]


@torch.inference_mode()
def run(setting: Setting) -> None:
    """Measures the seconds and the operations per second of each search for each size of bank."""
    for channels in setting.scale.search_channels:
        for rows in setting.scale.search_rows:
            torch.manual_seed(0)
            basis = torch.randn(DIMENSIONS, channels, device=setting.device)
            count = setting.scale.queries // (4 if rows >= FEWER_QUERIES_FROM else 1)
            bank, queries = _points(rows, basis), _points(count, basis)
            setting.results.add(f"{rows} rows, {channels} channels", _compared(setting, bank, queries))
            del bank, queries
            if setting.device.type == "cuda":
                torch.cuda.empty_cache()


def _points(count: int, basis: Tensor) -> Tensor:
    points = torch.randn(count, DIMENSIONS, device=basis.device) @ basis
    return points.add_(torch.randn_like(points), alpha=NOISE * DIMENSIONS**0.5)


def _compared(setting: Setting, bank: Tensor, queries: Tensor) -> dict[str, object]:
    own = BankSearch(bank, SearchMode.exact)
    half = bank.to(DTYPES[setting.half])
    norms = bank.square().sum(1)
    searches: dict[str, Search] = {
        "own": own.nearest,
        "blocks": lambda points: nearest(points, bank),
        "cdist": lambda points: _by_cdist(points, bank),
        "half-precision product": lambda points: _by_product(points, half, norms),
    }
    expected, index = searches["blocks"](queries)
    found = {name: search(queries) for name, search in searches.items()}
    seconds = setting.in_turn({name: _call(search, queries) for name, search in searches.items()})
    flop = 2.0 * len(queries) * len(bank) * bank.shape[1]
    return {
        "kernels": type(own.bounded).__name__ if own.bounded is not None else "blocks",
        "queries": len(queries),
        "seconds": dict(seconds),
        "flop_per_s": {name: flop / each for name, each in seconds.items()},
        "largest_relative_error": {
            name: float((each[0] / expected - 1).abs().max()) for name, each in found.items() if name != "blocks"
        },
        "same_row": {name: float((each[1] == index).double().mean()) for name, each in found.items()},
    }


def _call(search: Search, queries: Tensor) -> Callable[[], object]:
    return lambda: search(queries)


def _by_cdist(queries: Tensor, bank: Tensor) -> tuple[Tensor, Tensor]:
    return _least(len(bank), lambda rows: torch.cdist(queries, bank[rows]))


def _by_product(queries: Tensor, half: Tensor, norms: Tensor) -> tuple[Tensor, Tensor]:
    given, squares = queries.to(half.dtype), queries.square().sum(1)
    least, index = _least(len(half), lambda rows: norms[rows] - 2 * torch.mm(given, half[rows].T).float())
    return (least + squares).clamp_min_(0).sqrt_(), index


def _least(rows: int, values: Callable[[slice], Tensor]) -> tuple[Tensor, Tensor]:
    """The least value of each query and its row; `values` makes a part of the matrix [queries,rows] at a time."""
    best: Tensor | None = None
    index = torch.empty(0)
    for first in range(0, rows, PART):
        least, place = values(slice(first, first + PART)).min(1)
        if best is None:
            best, index = least, place
        else:
            index = torch.where(least < best, place + first, index)
            best = torch.minimum(least, best)
    assert best is not None
    return best, index
