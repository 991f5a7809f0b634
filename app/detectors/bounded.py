"""Exact nearest neighbours at a fraction of the cost.

All distances are first bounded from below, by products of the codes of `small_space.py`; what these bounds do not rule
out is computed in float32. With the codes q of a query and y of a row, their errors, and the distance U to a row that
is known, a row can be nearer only if |q - y| <= U + e_q + e_y: that is, if

    q.y >= (|q|^2 + |y|^2 - (U + e_q + e_y)^2) / 2.

U is the true distance to the row whose bound is smallest, which mostly is the neighbour. Where bounds rule out little,
as far from all of the bank, a query is compared with all rows.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from app.detectors.coded_bank import PRODUCTS, CodedBank, Products
from app.detectors.nearest import nearest
from app.detectors.pairs import PairDistances
from app.detectors.small_space import LEVELS, SmallSpace
from app.torch_private import int8_product, multiplies_bfloat16, multiplies_int8

MOST_PRODUCTS = 32 * 2**20  # that a thread keeps at a time, of 4 bytes at most
QUERIES_AT_ONCE = 2048, 512, 256
"""How many queries are multiplied at a time: many, or as many as have products that fit a cache."""
STEP = 128  # what their number is a multiple of
PART = 65536  # rows of the bank in one part
LARGEST = 1e30  # squares beyond may overflow on the way
SIZES = {torch.int8: 192, torch.bfloat16: 192, torch.float32: 128}
TOLERANT_SIZE = 128
"""How many numbers a code has: those that were fastest with the banks of real patches."""


class BoundedSearch:
    """Searches a bank [M,C] float32 on a CPU, for several threads at once; `codes` is the type of the codes.

    With a tolerance t it may take another row than the nearest, at a distance of at most 1 / (1 - t) times the least.
    """

    def __init__(self, bank: Tensor, codes: torch.dtype, tolerance: float = 0.0) -> None:
        self._bank, self._tolerance, self._pairs = bank, tolerance, PairDistances(bank)
        self.codes = codes
        self._space = SmallSpace(bank, TOLERANT_SIZE if tolerance else SIZES[codes], codes)
        rows = torch.arange(len(bank)).chunk(-(-len(bank) // PART))
        self._parts = [CodedBank(self._space, bank, part) for part in rows]
        self._largest = max(self._parts, key=lambda part: part.rows)
        self._rooms: list[Products] = []  # for products, as many as there were threads at once
        self.queries_at_once = QUERIES_AT_ONCE[0]

    @property
    def queries_at_once(self) -> int:
        """How many queries are multiplied at a time; fewer than was set where the bank is large."""
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
            likeliest = part.likeliest(codes, products)
            squares = self._pairs.squares(queries, numbers, likeliest)
            upper = torch.minimum(upper, squares.upper)
            owners, rows, lower = [*owners, numbers], [*rows, likeliest], [*lower, squares.lower]
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
        """The nearest pair of each query; true distances decide where rounding leaves the bounds undecided."""
        kept = (lower <= upper.index_select(0, owners)).nonzero()[:, 0]
        owners, rows = owners[kept], rows[kept]
        exact = self._pairs.exact(queries, owners, rows)
        distances = torch.full((len(queries),), torch.inf).scatter_reduce_(0, owners, exact, "amin")
        index = torch.zeros(len(queries), dtype=torch.int64)
        best = exact == distances[owners]
        index[owners[best]] = rows[best]
        return distances, index


def fast_codes() -> tuple[torch.dtype, ...]:
    """The types of codes whose products are fast on this processor, and exact; which is fastest must be measured."""
    found = tuple(
        codes for codes, is_fast in ((torch.int8, has_fast_int8), (torch.bfloat16, _has_fast_bfloat16)) if is_fast()
    )
    return found or (torch.float32,)


def has_fast_int8() -> bool:
    """Whether 8-bit numbers are multiplied fast, that is by VNNI, and exactly: other instructions may saturate."""
    if not multiplies_int8():
        return False
    size, levels = SIZES[torch.int8], LEVELS[torch.int8]
    largest = torch.full((STEP, size), levels, dtype=torch.int8)
    products = int8_product(largest, -largest.T, torch.empty(STEP, STEP, dtype=torch.int32))
    return bool((products == -size * levels**2).all())


def _has_fast_bfloat16() -> bool:
    """Whether bfloat16 is multiplied fast, that is by AMX or AVX-512, and sums are rounded only once."""
    if not multiplies_bfloat16():
        return False
    size, levels = SIZES[torch.bfloat16], LEVELS[torch.bfloat16]
    values = torch.full((STEP, size), levels, dtype=torch.bfloat16)
    values[:, 1::2] = levels - 1
    expected = values.double() @ values.double().T
    return bool((torch.mm(values, values.T) == expected.bfloat16()).all())


def multiplied(codes: torch.dtype, queries: int, rows: int) -> Callable[[], object]:
    """Products of codes of a type, of so many queries and rows, for measuring how fast they are."""
    left, right = (torch.ones(count, SIZES[codes]).to(codes) for count in (queries, rows))
    out = torch.empty(queries, rows, dtype=PRODUCTS[codes])
    multiply = int8_product if codes == torch.int8 else torch.mm
    return lambda: multiply(left, right.T, out=out)
