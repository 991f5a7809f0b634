"""Distances of given pairs of queries and rows of a memory bank."""

import warnings
from dataclasses import dataclass

import torch
from torch import Tensor

from app.detectors.small_space import UNIT

UNDERFLOW = 1e-34  # the largest error of a sum of squares due to squares that are too small for float32
CHUNK = 4096


@dataclass(frozen=True, slots=True)
class Squares:
    """Squared distances of P pairs, computed in float32."""

    values: Tensor  # [P]
    slack: Tensor  # [P], upper bounds of the rounding errors of `values`

    @property
    def lower(self) -> Tensor:
        """Lower bounds of the exact squares [P]."""
        return self.values - self.slack

    @property
    def upper(self) -> Tensor:
        """Upper bounds of the exact squares [P]."""
        return self.values + self.slack


class PairDistances:
    """Distances to rows of a bank [M,C] float32.

    A sparse kernel computes the products of the pairs and reads both vectors in place. Gathering the vectors first
    takes twenty times as long.
    """

    def __init__(self, bank: Tensor) -> None:
        self._bank = bank
        self._norms = torch.linalg.vector_norm(bank, dim=1).square_()
        with warnings.catch_warnings():  # torch warns once per process that its sparse tensors are in beta
            warnings.simplefilter("ignore")
            self.squares(bank[:1], torch.tensor([0]), torch.tensor([0]))

    def squares(self, queries: Tensor, owners: Tensor, rows: Tensor) -> Squares:
        """Squared distances of `queries[owners]` [P] to the bank's `rows` [P]; `owners` must ascend.

        Computed as |x|^2 + |y|^2 - 2 x.y. The rounding error relative to |x|^2 + |y|^2 is at most twice that of a sum
        of C products.
        """
        starts = torch.searchsorted(owners, torch.arange(len(queries) + 1))
        size = len(queries), len(self._bank)
        where = torch.sparse_csr_tensor(starts, rows, torch.zeros(len(rows)), size=size, check_invariants=False)
        products = torch.sparse.sampled_addmm(where, queries, self._bank.T, beta=0.0).values()
        norms = torch.linalg.vector_norm(queries, dim=1).square_().index_select(0, owners)
        norms += self._norms.index_select(0, rows)
        squares = torch.add(norms, products, alpha=-2)
        return Squares(squares, norms.mul_(2 * (queries.shape[1] + 8) * UNIT).add_(UNDERFLOW))

    def exact(self, queries: Tensor, owners: Tensor, rows: Tensor) -> Tensor:
        """The distances of the pairs [P], from their differences: the formula of `squares` cancels for close pairs."""
        parts = zip(torch.split(owners, CHUNK), torch.split(rows, CHUNK), strict=True)
        near = [queries.index_select(0, q).sub_(self._bank.index_select(0, y)) for q, y in parts]
        return torch.cat([torch.linalg.vector_norm(difference, dim=1) for difference in near])
