"""Distances of chosen pairs of queries and rows of a memory bank."""

import warnings
from dataclasses import dataclass

import torch
from torch import Tensor

from app.detectors.small_space import UNIT

UNDERFLOW = 1e-34  # what squares may lose that are too small for float32
CHUNK = 4096


@dataclass(frozen=True, slots=True)
class Squares:
    """Squared distances as float32 computes them, and by how much these may be off."""

    values: Tensor  # [P]
    slack: Tensor  # [P]

    @property
    def lower(self) -> Tensor:
        """What they are at least."""
        return self.values - self.slack

    @property
    def upper(self) -> Tensor:
        """What they are at most."""
        return self.values + self.slack


class PairDistances:
    """Distances to rows of a bank [M,C] float32.

    The products of the pairs come from a sparse kernel, which reads both vectors where they lie; gathering them first
    takes twenty times as long.
    """

    def __init__(self, bank: Tensor) -> None:
        self._bank = bank
        self._norms = torch.linalg.vector_norm(bank, dim=1).square_()
        with warnings.catch_warnings():  # torch tells once a process that its sparse tensors are in beta
            warnings.simplefilter("ignore")
            self.squares(bank[:1], torch.tensor([0]), torch.tensor([0]))

    def squares(self, queries: Tensor, owners: Tensor, rows: Tensor) -> Squares:
        """Squared distances of `queries[owners]` [P] to the bank's `rows` [P]; `owners` ascend.

        By |x|^2 + |y|^2 - 2 x.y, whose worst rounding is twice that of a sum of C products, of (|x|^2 + |y|^2).
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
        """The distances of the pairs [P] by their differences, since the formula cancels where neighbours are close."""
        parts = zip(torch.split(owners, CHUNK), torch.split(rows, CHUNK), strict=True)
        near = [queries.index_select(0, q).sub_(self._bank.index_select(0, y)) for q, y in parts]
        return torch.cat([torch.linalg.vector_norm(difference, dim=1) for difference in near])
