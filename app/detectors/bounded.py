"""Exact nearest neighbours on a CPU. Lower bounds rule out most rows of the memory bank.

First, products of the codes of `small_space.py` give lower bounds of all distances. Then the distances to rows that the
bounds do not rule out are computed in float32. Let q and y be the codes of a query and a row, e_q and e_y their errors,
and U the distance to a known row. The row can be nearer only if |q - y| <= U + e_q + e_y, that is, if

    q.y >= (|q|^2 + |y|^2 - (U + e_q + e_y)^2) / 2.

U is the true distance to the row with the smallest bound, which usually is the nearest neighbour. A query for which
bounds rule out too few rows, such as a query far from the whole bank, is compared with all rows.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from app.detectors.coded_bank import PRODUCTS, CodedBank, Products
from app.detectors.nearest import nearest
from app.detectors.pairs import PairDistances
from app.detectors.small_space import LEVELS, SmallSpace
from app.torch_private import int8_product, multiplies_bfloat16, multiplies_int8

MOST_PRODUCTS = 32 * 2**20  # the limit of a thread's products at a time, of up to 4 bytes each
QUERIES_AT_ONCE = 2048, 512, 256
"""The candidates for the number of queries per step: many, or few enough that their products fit into a cache."""
STEP = 128  # the number of queries per step is a multiple of this
PART = 65536  # rows of the bank in one part
LARGEST = 1e30  # sums of larger squares may overflow
SIZES = {torch.int8: 192, torch.bfloat16: 192, torch.float32: 128}
TOLERANT_SIZE = 128
"""The number of coordinates of a code, by its dtype, and for a search with a tolerance: the fastest with the banks of
real patches.
"""


class BoundedSearch:
    """Searches a bank [M,C] float32 on a CPU. `codes` is the dtype of the codes. Several threads may search at once.

    With a tolerance t, the search may return a row whose distance is up to 1 / (1 - t) times the smallest distance.
    """

    def __init__(self, bank: Tensor, codes: torch.dtype, tolerance: float = 0.0) -> None:
        self._bank, self._tolerance, self._pairs = bank, tolerance, PairDistances(bank)
        self.codes = codes
        self._space = SmallSpace(bank, TOLERANT_SIZE if tolerance else SIZES[codes], codes)
        rows = torch.arange(len(bank)).chunk(-(-len(bank) // PART))
        self._parts = [CodedBank(self._space, bank, part) for part in rows]
        self._largest = max(self._parts, key=lambda part: part.rows)
        self._rooms: list[Products] = []  # a pool of memory for products
        self.queries_at_once = QUERIES_AT_ONCE[0]

    @property
    def queries_at_once(self) -> int:
        """The number of queries per step; fewer than were set if the bank is large."""
        return self._most

    @queries_at_once.setter
    def queries_at_once(self, most: int) -> None:
        self._most = max(STEP, min(most, MOST_PRODUCTS // self._largest.rows // STEP * STEP))
        self._rooms.clear()

    def nearest(self, queries: Tensor) -> tuple[Tensor, Tensor]:
        """Distance to, and index of, the row nearest to each of queries [N,C] float32, N > 0: [N], [N] int64."""
        try:
            room = self._rooms.pop()
        except IndexError:
            room = self._largest.room(self._most)
        steps = queries.chunk(-(-len(queries) // self._most))
        found = [self._nearest(rows, room) for rows in steps]
        self._rooms.append(room)
        distances, index, unresolved = (torch.cat(parts) for parts in zip(*found, strict=True))
        if unresolved.any():
            distances[unresolved], index[unresolved] = nearest(queries[unresolved], self._bank)
        return distances, index

    def _nearest(self, queries: Tensor, room: Products) -> tuple[Tensor, Tensor, Tensor]:
        codes, numbers = self._space.codes(queries), torch.arange(len(queries))
        upper = torch.full((len(queries),), torch.inf)
        unresolved = ~(codes.norms < LARGEST)
        owners: list[Tensor] = []
        rows: list[Tensor] = []
        lower: list[Tensor] = []
        for part in self._parts:
            products = part.multiply(codes, room)
            best_rows = part.best_rows(codes, products)
            squares = self._pairs.squares(queries, numbers, best_rows)
            upper = torch.minimum(upper, squares.upper)
            owners, rows, lower = [*owners, numbers], [*rows, best_rows], [*lower, squares.lower]
            found = part.candidates(codes, products, upper.clamp(min=0).sqrt() * (1 - self._tolerance))
            squares = self._pairs.squares(queries, found.owners, found.rows)
            upper.scatter_reduce_(0, found.owners, squares.upper, "amin")
            owners, rows, lower = [*owners, found.owners], [*rows, found.rows], [*lower, squares.lower]
            unresolved |= found.unresolved
        unresolved |= ~(upper < LARGEST)
        distances, index = self._best(queries, torch.cat(owners), torch.cat(rows), torch.cat(lower), upper)
        return distances, index, unresolved

    def _best(
        self, queries: Tensor, owners: Tensor, rows: Tensor, lower: Tensor, upper: Tensor
    ) -> tuple[Tensor, Tensor]:
        """The nearest pair of each query; exact distances decide between pairs whose bounds overlap."""
        kept = (lower <= upper.index_select(0, owners)).nonzero()[:, 0]
        owners, rows = owners[kept], rows[kept]
        exact = self._pairs.exact(queries, owners, rows)
        distances = torch.full((len(queries),), torch.inf).scatter_reduce_(0, owners, exact, "amin")
        index = torch.zeros(len(queries), dtype=torch.int64)
        best = exact == distances[owners]
        index[owners[best]] = rows[best]
        return distances, index


def fast_codes() -> tuple[torch.dtype, ...]:
    """The dtypes of codes whose products are fast on this processor, and exact; the fastest must be measured."""
    found = tuple(
        codes for codes, is_fast in ((torch.int8, has_fast_int8), (torch.bfloat16, _has_fast_bfloat16)) if is_fast()
    )
    return found or (torch.float32,)


def has_fast_int8() -> bool:
    """Whether 8-bit integers are benchmark_product fast (by VNNI) and exactly: other instructions may saturate."""
    if not multiplies_int8():
        return False
    size, levels = SIZES[torch.int8], LEVELS[torch.int8]
    largest = torch.full((STEP, size), levels, dtype=torch.int8)
    products = int8_product(largest, -largest.T, torch.empty(STEP, STEP, dtype=torch.int32))
    return bool((products == -size * levels**2).all())


def _has_fast_bfloat16() -> bool:
    """Whether bfloat16 is benchmark_product fast (by AMX or AVX-512), and sums are rounded only once."""
    if not multiplies_bfloat16():
        return False
    size, levels = SIZES[torch.bfloat16], LEVELS[torch.bfloat16]
    values = torch.full((STEP, size), levels, dtype=torch.bfloat16)
    values[:, 1::2] = levels - 1
    expected = values.double() @ values.double().T
    return bool((torch.mm(values, values.T) == expected.bfloat16()).all())


def benchmark_product(codes: torch.dtype, queries: int, rows: int) -> Callable[[], object]:
    """A function to be timed: it multiplies the codes of `queries` queries and `rows` rows."""
    left, right = (torch.ones(count, SIZES[codes]).to(codes) for count in (queries, rows))
    out = torch.empty(queries, rows, dtype=PRODUCTS[codes])
    multiply = int8_product if codes == torch.int8 else torch.mm
    return lambda: multiply(left, right.T, out=out)
