"""The codes of a memory bank, in groups of rows. A query is compared with whole groups first."""

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from app.detectors.small_space import UNIT, Codes, SmallSpace
from app.torch_private import int8_product

GROUP = 32
PRODUCTS = {torch.int8: torch.int32, torch.bfloat16: torch.bfloat16, torch.float32: torch.float32}
"""The dtype of products of codes. A product in bfloat16 is rounded once, by at most ROUNDING times its size."""
ROUNDING = 2.0**-8
BLOCK = 4096  # rows; their products with some hundred queries stay in the processor's cache until they are reduced
MOST_GROUPS, MOST_ROWS = 1 / 2, 1 / 16  # shares of a bank; a query with more candidates is compared with all rows


@dataclass(frozen=True, slots=True)
class Products:
    """The products of the codes of n queries with all rows, without scales. The memory is reused."""

    all: Tensor  # [B,n,G,GROUP] int32, bfloat16 or float32
    tops: Tensor  # [B,n,G] the largest product of each group; in bfloat16, 0 where all are negative
    room: Tensor  # [B,n,G] float32, scratch memory for one number per group

    def of(self, *shape: int) -> "Products":
        """The same memory with another shape [B,n,G], which must not be larger."""
        count = math.prod(shape)
        tops, room = (tensor.view(-1)[:count].view(shape) for tensor in (self.tops, self.room))
        return Products(self.all.view(-1)[: count * GROUP].view(*shape, GROUP), tops, room)


@dataclass(frozen=True, slots=True)
class Candidates:
    """P pairs of a query and a row that may be its nearest neighbour, sorted by query."""

    owners: Tensor  # [P] int64, the index of the query
    rows: Tensor  # [P] int64, the index of the row in the bank
    unresolved: Tensor  # [n] bool, the queries with too many candidates, which have no pairs


class CodedBank:
    """The codes of some rows of a bank, in blocks of groups.

    The rows of a block are sorted by length, so that rows of similar length share a group. Therefore a bound from the
    smallest |y|^2, the largest error and the largest product of a group is nearly as tight as the bounds of its rows.
    """

    def __init__(self, space: SmallSpace, bank: Tensor, rows: Tensor) -> None:
        count = -(-len(rows) // BLOCK)
        length = -(-len(rows) // (count * GROUP)) * GROUP
        rows = torch.cat([rows, rows[-1:].expand(count * length - len(rows))])  # copies change no result
        self._eta = 2 * (space.size + 32) * UNIT  # the relative rounding error of each term of the formula in `_needed`
        order, blocks = [], []
        for part in torch.split(rows, length):
            points = bank[part]
            place = torch.linalg.vector_norm(points - space.mean, dim=1).argsort()
            order.append(part[place])
            blocks.append(space.codes(points[place], GROUP))
        self._rows = torch.cat(order)
        self._values = [codes.values.T for codes in blocks]
        self._norms = torch.stack([codes.norms.view(-1, GROUP) for codes in blocks])  # [B,G,GROUP]
        self._scale = torch.stack([codes.scale[::GROUP] for codes in blocks])  # [B,G]
        least = self._norms.amin(2) * (1 - self._eta)
        errors = torch.stack([codes.errors.view(-1, GROUP).amax(1) for codes in blocks])
        terms = [torch.ones_like(least), least - errors.square() * (1 + self._eta), errors]
        self._terms = torch.stack([term / self._scale for term in terms], 1)  # [B,3,G]

    @property
    def rows(self) -> int:
        """The number of rows, including the copies that fill the last block."""
        return len(self._rows)

    def room(self, queries: int) -> Products:
        """Memory for the products of this number of queries."""
        blocks, groups = self._scale.shape
        products = torch.empty(blocks, queries, groups, GROUP, dtype=PRODUCTS[self._values[0].dtype])
        return Products(products, torch.empty_like(products[..., 0]), torch.empty(blocks, queries, groups))

    def multiply(self, queries: Codes, room: Products) -> Products:
        """The products of the queries with all rows, in `room`, which must have memory for at least as many queries."""
        (blocks, groups), count = self._scale.shape, len(queries.scale)
        products = room.of(blocks, count, groups)
        multiply = int8_product if products.all.dtype == torch.int32 else torch.mm
        for values, into, tops in zip(self._values, products.all, products.tops, strict=True):
            multiply(queries.values, values, out=into.view(count, -1))
            if into.dtype == torch.bfloat16:
                # Non-negative floats are ordered like the integers with the same bits. Comparing integers is faster.
                torch.amax(into.view(torch.int16), 2, out=tops.view(torch.int16)).clamp_min_(0)
            else:
                torch.amax(into, 2, out=tops)
        return products

    def best_rows(self, queries: Codes, products: Products) -> Tensor:
        """For each query, the row with the smallest bound in the group with the smallest bound.

        Returns the indices of the rows in the bank, [n] int64.
        """
        _, count, groups = products.tops.shape
        factors, numbers = -2 * queries.scale, torch.arange(count)
        bounds = torch.mul(products.tops, self._scale[:, None], out=products.room)
        bounds.mul_(factors[:, None]).add_(self._norms[:, None, :, 0])
        in_block = torch.from_numpy(bounds.numpy().argmin(2))  # [B,n]; numpy's argmin is four times as fast as torch's
        block = bounds.gather(2, in_block[:, :, None])[:, :, 0].argmin(0)  # [n]
        group = in_block[block, numbers]
        inside = products.all[block, numbers, group] * (factors * self._scale[block, group])[:, None]
        lane = inside.add_(self._norms[block, group]).argmin(1)
        return self._rows[(block * groups + group) * GROUP + lane]

    def candidates(self, queries: Codes, products: Products, upper: Tensor) -> Candidates:
        """All rows whose distance to a query may be at most the query's `upper` [n]."""
        blocks, count, groups = products.tops.shape
        needed = self._needed(queries, upper, products.room)
        places = _true(products.tops >= needed)
        owners = places // groups % count
        kept, unresolved = _fewer(owners, count, int(MOST_GROUPS * blocks * groups))
        places, owners = places[kept], owners[kept]
        inside = products.all.view(-1, GROUP).index_select(0, places)
        found = _true(inside >= needed.view(-1).index_select(0, places)[:, None])
        pair = found // GROUP
        places, owners = places[pair], owners[pair]
        rows = (places // (groups * count) * groups + places % groups) * GROUP + found % GROUP
        kept, many = _fewer(owners, count, max(int(MOST_ROWS * len(self._rows)), GROUP))
        owners, rows = owners[kept], rows[kept]
        order = torch.from_numpy(np.argsort(owners.numpy().astype(np.uint16), kind="stable"))  # a radix sort
        return Candidates(owners[order], self._rows[rows[order]], unresolved | many)

    def _needed(self, queries: Codes, upper: Tensor, room: Tensor) -> Tensor:
        """For each group [B,n,G], the smallest product of codes with which a row is a candidate.

        That is (|q|^2 + |y|^2 - (U + e_q + e_y)^2) / 2, divided by both scales. It is computed as a matrix product of
        three terms of each query with three terms of each group. Each term is relaxed by more than its rounding error.
        |q|^2 and |y|^2 are also relaxed by the rounding error of products in float32. Products in bfloat16 are rounded,
        and their limit is lowered accordingly.
        """
        reach = upper * (1 + 1e-6) + queries.errors
        half = 0.5 / queries.scale
        alone = queries.norms * (1 - self._eta) - reach.square() * (1 + self._eta)
        terms = torch.stack([alone * half, half, reach * half * (-2 * (1 + self._eta))], 1)  # [n,3]
        for others, into in zip(self._terms, room, strict=True):
            torch.mm(terms, others, out=into)
            if self._values[0].dtype == torch.bfloat16:
                into.sub_(into.abs(), alpha=ROUNDING)
        return room


def _true(mask: Tensor) -> Tensor:
    """The indices of the true elements of the flattened mask. numpy is seven times as fast as torch here."""
    return torch.from_numpy(np.flatnonzero(mask.numpy()))


def _fewer(owners: Tensor, count: int, most: int) -> tuple[Tensor | slice, Tensor]:
    """Selects the entries of the owners that have at most `most` entries.

    Returns an index of these entries, and which of the `count` owners have more, [count] bool.
    """
    many = torch.bincount(owners, minlength=count) > most
    return (~many[owners] if many.any() else slice(None)), many
