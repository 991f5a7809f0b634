"""Measures which search of a memory bank is fastest on this processor."""

import torch
from torch import Tensor

from app.detectors.bounded import QUERIES_AT_ONCE, BoundedSearch, benchmark_product, fast_codes
from app.detectors.search import BankSearch
from app.trials import Timer, rank

ROWS, QUERIES = 4096, 2048
"""The number of bank rows in a measured product, and of queries in a measured search."""
NOISE, SAMPLE = 0.5, 128
"""Typical patches are bank rows plus noise. The length of the noise is the share NOISE of the median distance between
nearest rows, which is estimated from about SAMPLE rows.
"""
BUDGET_S = 0.5
GAIN = 0.97
"""A challenger must take at most this share of the champion's time."""


def fastest_codes(seconds: Timer) -> torch.dtype:
    """The dtype of codes whose products are computed fastest on this processor."""
    products = [(codes, benchmark_product(codes, min(QUERIES_AT_ONCE), ROWS)) for codes in fast_codes()]
    return rank(products, lambda each: each[1], seconds, BUDGET_S, GAIN)[0].candidate[0]


@torch.inference_mode()
def choose_queries_at_once(search: BankSearch, seconds: Timer) -> None:
    """Sets the number of queries per step of a search by bounds to the fastest; other searches are not changed."""
    bounded = search.bounded
    if not isinstance(bounded, BoundedSearch):
        return
    queries = typical_patches(search.bank, QUERIES)

    def timed(at_once: int) -> float:
        bounded.queries_at_once = at_once
        return seconds(lambda: bounded.nearest(queries))

    bounded.queries_at_once = rank(QUERIES_AT_ONCE, lambda at_once: at_once, timed, BUDGET_S, GAIN)[0].candidate


def typical_patches(bank: Tensor, count: int) -> Tensor:
    """Patches [count,C] float32 that are about as far from a bank [M,C] as patches of normal pictures.

    The time of a search depends on this distance, because it decides how many rows the bounds rule out.
    """
    rows = bank[torch.arange(count, device=bank.device) % len(bank)].float()
    sample = rows[:: max(count // SAMPLE, 1)]
    nearest = torch.cdist(sample, bank.float()).topk(min(2, len(bank)), largest=False).values[:, -1].median()
    noise = torch.randn(rows.shape, generator=torch.Generator().manual_seed(0)).to(rows.device)
    patches: Tensor = rows + NOISE * nearest * noise / rows.shape[1] ** 0.5
    return patches
