"""A memory bank in the small space, in groups of rows that are compared with a query at once."""

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from app.detectors.small_space import UNIT, Codes, SmallSpace
from app.torch_private import int8_product

GROUP = 32
PRODUCTS = {torch.int8: torch.int32, torch.bfloat16: torch.bfloat16, torch.float32: torch.float32}
"""What products of codes are kept in. In bfloat16 they are rounded once, by ROUNDING of their size at most."""
ROUNDING = 2.0**-8
BLOCK = 4096  # rows whose products with some hundred queries stay in the processor's cache until they are reduced
MOST_GROUPS, MOST_ROWS = 1 / 2, 1 / 16  # shares of a bank; a query that must look at more is better off with all of it


@dataclass(frozen=True, slots=True)
class Products:
    """The products of n queries' codes with all rows, without their scales, in memory that is used again."""

    all: Tensor  # [B,n,G,GROUP] int32, bfloat16 or float32
    tops: Tensor  # [B,n,G] the largest of each group; in bfloat16 0 where all are negative
    room: Tensor  # [B,n,G] float32, for what is computed of them

    def of(self, *shape: int) -> "Products":
        """The same memory for another shape [B,n,G], not larger."""
        count = math.prod(shape)
        tops, room = (tensor.view(-1)[:count].view(shape) for tensor in (self.tops, self.room))
        return Products(self.all.view(-1)[: count * GROUP].view(*shape, GROUP), tops, room)


@dataclass(frozen=True, slots=True)
class Candidates:
    """What may be a nearest neighbour: pairs, ordered by the query, and the queries for which these are too many."""

    owners: Tensor  # [P] int64
    rows: Tensor  # [P] int64, in the bank
    unresolved: Tensor  # [n] bool


class CodedBank:
    """The codes of some rows of a bank: blocks, and groups in them.

    The rows of a block are ordered by length. So rows of like length share a group, and the smallest |y|^2, the largest
    error and the largest product of a group tell nearly as much of its rows as their own would.
    """

    def __init__(self, space: SmallSpace, bank: Tensor, rows: Tensor) -> None:
        count = -(-len(rows) // BLOCK)
        length = -(-len(rows) // (count * GROUP)) * GROUP
        rows = torch.cat([rows, rows[-1:].expand(count * length - len(rows))])  # a row more than once does no harm
        self._eta = 2 * (space.size + 32) * UNIT  # the rounding of the formula in `_needed`, of each of its terms
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
        """How many rows there are, those included that fill the last block."""
        return len(self._rows)

    def room(self, queries: int) -> Products:
        """Memory for the products of so many queries."""
        blocks, groups = self._scale.shape
        products = torch.empty(blocks, queries, groups, GROUP, dtype=PRODUCTS[self._values[0].dtype])
        return Products(products, torch.empty_like(products[..., 0]), torch.empty(blocks, queries, groups))

    def multiply(self, queries: Codes, room: Products) -> Products:
        """The products of the queries with all rows, in memory for at least as many."""
        (blocks, groups), count = self._scale.shape, len(queries.scale)
        products = room.of(blocks, count, groups)
        multiply = int8_product if products.all.dtype == torch.int32 else torch.mm
        for values, into, tops in zip(self._values, products.all, products.tops, strict=True):
            multiply(queries.values, values, out=into.view(count, -1))
            if into.dtype == torch.bfloat16:
                # Floats that are 0 or more are ordered as the integers with the same bits, which are compared faster.
                torch.amax(into.view(torch.int16), 2, out=tops.view(torch.int16)).clamp_min_(0)
            else:
                torch.amax(into, 2, out=tops)
        return products

    def likeliest(self, queries: Codes, products: Products) -> Tensor:
        """For each query the row with the smallest bound in the group with the smallest one: [n] int64, in the bank."""
        _, count, groups = products.tops.shape
        factors, numbers = -2 * queries.scale, torch.arange(count)
        bounds = torch.mul(products.tops, self._scale[:, None], out=products.room)
        bounds.mul_(factors[:, None]).add_(self._norms[:, None, :, 0])
        in_block = torch.from_numpy(bounds.numpy().argmin(2))  # [B,n]; four times as fast as torch's
        block = bounds.gather(2, in_block[:, :, None])[:, :, 0].argmin(0)  # [n]
        group = in_block[block, numbers]
        inside = products.all[block, numbers, group] * (factors * self._scale[block, group])[:, None]
        lane = inside.add_(self._norms[block, group]).argmin(1)
        return self._rows[(block * groups + group) * GROUP + lane]

    def candidates(self, queries: Codes, products: Products, upper: Tensor) -> Candidates:
        """All rows that may be as near as `upper`, a distance for each query [n]."""
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
        """The product that a row of each group must reach [B,n,G]: (|q|^2 + |y|^2 - (U + e_q + e_y)^2) / 2, unscaled.

        A product of three terms of the query with three of the group. Each term is moved by more than its rounding, and
        |q|^2 and |y|^2 also by that of the products themselves, should these be float32. In bfloat16 the products are
        rounded, and what they must reach is lowered by as much.
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
    """Where the elements are that are true, of all in a row; by numpy, which is seven times as fast."""
    return torch.from_numpy(np.flatnonzero(mask.numpy()))


def _fewer(owners: Tensor, count: int, most: int) -> tuple[Tensor | slice, Tensor]:
    """Which of the entries to keep so that nobody of `count` owns more than `most`, and who owned more."""
    many = torch.bincount(owners, minlength=count) > most
    return (~many[owners] if many.any() else slice(None)), many
