"""Measuring which search of a memory bank is fastest on this processor."""

import torch
from torch import Tensor

from app.detectors.bounded import QUERIES_AT_ONCE, BoundedSearch, fast_codes, multiplied
from app.detectors.search import BankSearch
from app.trials import Timer, rank

ROWS, QUERIES = 4096, 2048
"""Of the products that are measured; a search is measured with as many queries."""
NOISE, SAMPLE = 0.5, 128
"""Queries like patches of normal pictures: rows, moved by this share of the median distance between neighbours, which a
sample of the rows tells.
"""
BUDGET_S = 0.5
GAIN = 0.97
"""A challenger must take at most this share of the champion's time."""


def fastest_codes(seconds: Timer) -> torch.dtype:
    """The type of codes whose products are computed fastest on this processor."""
    products = [(codes, multiplied(codes, min(QUERIES_AT_ONCE), ROWS)) for codes in fast_codes()]
    return rank(products, lambda each: each[1], seconds, BUDGET_S, GAIN)[0].candidate[0]


@torch.inference_mode()
def choose_queries_at_once(search: BankSearch, seconds: Timer) -> None:
    """Makes a search by bounds compare as many queries at once as is fastest with this bank; others stay."""
    bounded = search.bounded
    if not isinstance(bounded, BoundedSearch):
        return
    queries = typical_patches(search.bank, QUERIES)

    def timed(at_once: int) -> float:
        bounded.queries_at_once = at_once
        return seconds(lambda: bounded.nearest(queries))

    bounded.queries_at_once = rank(QUERIES_AT_ONCE, lambda at_once: at_once, timed, BUDGET_S, GAIN)[0].candidate


def typical_patches(bank: Tensor, count: int) -> Tensor:
    """Patches [count,C] float32 that are as far from a bank [M,C] as those of normal pictures are, about.

    What bounds rule out depends on the distance, and with it the time of a search.
    """
    rows = bank[torch.arange(count, device=bank.device) % len(bank)].float()
    sample = rows[:: max(count // SAMPLE, 1)]
    nearest = torch.cdist(sample, bank.float()).topk(min(2, len(bank)), largest=False).values[:, -1].median()
    noise = torch.randn(rows.shape, generator=torch.Generator().manual_seed(0)).to(rows.device)
    patches: Tensor = rows + NOISE * nearest * noise / rows.shape[1] ** 0.5
    return patches
