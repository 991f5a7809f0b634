"""Exact nearest neighbours at a fraction of the cost.

All distances are first bounded from below, by products of the codes of `small_space.py`; what these bounds do not rule
out is computed in float32. With the codes q of a query and y of a row, their errors, and the distance U to a row that
is known, a row can be nearer only if |q - y| <= U + e_q + e_y: that is, if

    q.y >= (|q|^2 + |y|^2 - (U + e_q + e_y)^2) / 2.

U is the true distance to the row whose bound is smallest, which mostly is the neighbour. Where bounds rule out little,
as far from all of the bank, a query is compared with all rows.
"""

import torch
from torch import Tensor

from app.detectors.coded_bank import CodedBank, Products
from app.detectors.nearest import nearest
from app.detectors.pairs import PairDistances
from app.detectors.small_space import LEVELS, SmallSpace

PRODUCTS = 32 * 2**20  # that a thread keeps at a time, of 4 bytes
MOST_QUERIES, STEP = 2048, 128  # at a time, and what their number is a multiple of
PART = 65536  # rows of the bank that are looked at together
LARGEST = 1e30  # squares beyond may overflow on the way
INT8_SIZE, INT8_TOLERANT_SIZE, FLOAT32_SIZE = 192, 128, 128  # numbers a code, the fastest of real patches' banks


class BoundedSearch:
    """Searches a bank [M,C] float32 on a CPU, with codes of 8 bits or in float32, for several threads at once.

    With a tolerance t it may take another row than the nearest, at a distance of at most 1 / (1 - t) times the least.
    """

    def __init__(self, bank: Tensor, int8: bool, tolerance: float = 0.0) -> None:
        self._bank, self._tolerance, self._pairs = bank, tolerance, PairDistances(bank)
        if int8:
            self._space = SmallSpace(bank, INT8_TOLERANT_SIZE if tolerance else INT8_SIZE, torch.int8)
        else:
            self._space = SmallSpace(bank, FLOAT32_SIZE, torch.float32)
        rows = torch.arange(len(bank)).chunk(-(-len(bank) // PART))
        self._parts = [CodedBank(self._space, bank, part) for part in rows]
        self._largest = max(self._parts, key=lambda part: part.rows)
        self._most = max(STEP, min(MOST_QUERIES, PRODUCTS // self._largest.rows // STEP * STEP))
        self._rooms: list[Products] = []  # for products, as many as there were threads at once

    def nearest(self, queries: Tensor) -> tuple[Tensor, Tensor]:
        """Distance to, and index of, the row nearest to each of queries [N,C] float32, N > 0: [N], [N] int64."""
        try:
            room = self._rooms.pop()
        except IndexError:
            room = self._largest.room(self._most)
        steps = queries.chunk(-(-len(queries) // self._most))
        found = [self._nearest(rows, room) for rows in steps]
        self._rooms.append(room)
        distances, index, hopeless = (torch.cat(parts) for parts in zip(*found, strict=True))
        if hopeless.any():
            distances[hopeless], index[hopeless] = nearest(queries[hopeless], self._bank)
        return distances, index

    def _nearest(self, queries: Tensor, room: Products) -> tuple[Tensor, Tensor, Tensor]:
        codes, numbers = self._space.codes(queries), torch.arange(len(queries))
        upper = torch.full((len(queries),), torch.inf)
        hopeless = ~(codes.norms < LARGEST)
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
            hopeless |= found.hopeless
        hopeless |= ~(upper < LARGEST)
        distances, index = self._best(queries, torch.cat(owners), torch.cat(rows), torch.cat(lower), upper)
        return distances, index, hopeless

    def _best(
        self, queries: Tensor, owners: Tensor, rows: Tensor, lower: Tensor, upper: Tensor
    ) -> tuple[Tensor, Tensor]:
        """The nearest of the pairs of each query, told apart by their true distances where rounding leaves it open."""
        kept = (lower <= upper.index_select(0, owners)).nonzero()[:, 0]
        owners, rows = owners[kept], rows[kept]
        exact = self._pairs.exact(queries, owners, rows)
        distances = torch.full((len(queries),), torch.inf).scatter_reduce_(0, owners, exact, "amin")
        index = torch.zeros(len(queries), dtype=torch.int64)
        best = exact == distances[owners]
        index[owners[best]] = rows[best]
        return distances, index


def has_fast_int8() -> bool:
    """Whether 8-bit numbers are multiplied fast, that is by VNNI, and exactly: other instructions may saturate."""
    fast = getattr(torch.cpu, "_is_vnni_supported", None)
    if fast is None or not fast():
        return False
    largest = torch.full((STEP, INT8_SIZE), LEVELS, dtype=torch.int8)
    products = torch._int_mm(largest, -largest.T)
    return bool((products == -INT8_SIZE * LEVELS**2).all())
