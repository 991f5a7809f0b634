"""Exact nearest neighbours in a memory bank."""

import torch
from torch import Tensor

QUERY_ROWS = 1024
BANK_ROWS = 8192


def nearest(queries: Tensor, bank: Tensor) -> tuple[Tensor, Tensor]:
    """Distance to, and index of, the row of `bank` [M,C] that is nearest to each of `queries` [N,C]: [N], [N] int64.

    The row is found by |y|^2 - 2 x.y, in blocks of bounded size. The distance is then computed from the difference,
    because the formula cancels for close neighbours.
    """
    norms = (bank * bank).sum(1)
    index = torch.empty(len(queries), dtype=torch.int64, device=queries.device)
    for start in range(0, len(queries), QUERY_ROWS):
        factors = -2 * queries[start : start + QUERY_ROWS]
        best = torch.full((len(factors),), torch.inf, device=queries.device)
        place = torch.zeros(len(factors), dtype=torch.int64, device=queries.device)
        for first in range(0, len(bank), BANK_ROWS):
            rows = slice(first, first + BANK_ROWS)
            values, places = torch.addmm(norms[rows], factors, bank[rows].T).min(1)
            closer = values < best
            best = torch.where(closer, values, best)
            place = torch.where(closer, places + first, place)
        index[start : start + QUERY_ROWS] = place
    return distances_to(queries, bank, index), index


def distances_to(queries: Tensor, bank: Tensor, index: Tensor) -> Tensor:
    """The distance of each of `queries` [N,C] to the row of `bank` [M,C] that `index` [N] names: [N]."""
    distances: Tensor = torch.linalg.vector_norm(queries - bank[index], dim=1)
    return distances
