from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from app.detectors.bounded import BoundedSearch, has_fast_int8

CODES = [pytest.param(True, marks=pytest.mark.skipif(not has_fast_int8(), reason="no VNNI")), False]
Family = Callable[[int, int, torch.Generator], Tensor]


def normal(rows: int, channels: int, generator: torch.Generator) -> Tensor:
    return torch.randn(rows, channels, generator=generator)


def clustered(rows: int, channels: int, generator: torch.Generator) -> Tensor:
    centres = 10 * torch.randn(4, channels, generator=generator)
    chosen = torch.randint(4, (rows,), generator=generator)
    return centres[chosen] + 1e-3 * normal(rows, channels, generator)


def repeated(rows: int, channels: int, generator: torch.Generator) -> Tensor:
    return normal(5, channels, generator)[torch.randint(5, (rows,), generator=generator)]


def flat(rows: int, channels: int, generator: torch.Generator) -> Tensor:
    """In two dimensions, whatever the channels: nothing is left beside the principal components."""
    return normal(rows, 2, generator) @ normal(2, channels, generator)


def tiny(rows: int, channels: int, generator: torch.Generator) -> Tensor:
    return 1e-12 * normal(rows, channels, generator)


def huge(rows: int, channels: int, generator: torch.Generator) -> Tensor:
    return 1e12 * normal(rows, channels, generator)


def of_all_lengths(rows: int, channels: int, generator: torch.Generator) -> Tensor:
    return normal(rows, channels, generator) * 10.0 ** torch.randint(-6, 6, (rows, 1), generator=generator)


def sparse(rows: int, channels: int, generator: torch.Generator) -> Tensor:
    return normal(rows, channels, generator).relu() * (torch.rand(rows, channels, generator=generator) < 0.1)


def far_from_zero(rows: int, channels: int, generator: torch.Generator) -> Tensor:
    return 100 + normal(rows, channels, generator)


def with_an_outlier(rows: int, channels: int, generator: torch.Generator) -> Tensor:
    points = normal(rows, channels, generator)
    points[0] *= 1e5
    return points


FAMILIES: list[Family] = [
    normal, clustered, repeated, flat, tiny, huge, of_all_lengths, sparse, far_from_zero, with_an_outlier
]  # fmt: skip


def assert_nearest(found: tuple[Tensor, Tensor], queries: Tensor, bank: Tensor, tolerance: float = 0.0) -> None:
    """Distances are those of the rows named, and none is shorter but for what float32 cannot tell apart."""
    distances, index = found
    true = torch.linalg.vector_norm(queries.double()[:, None] - bank.double(), dim=2)
    of_index = true.gather(1, index[:, None])[:, 0]
    torch.testing.assert_close(distances.double(), of_index, rtol=1e-5, atol=1e-17)
    squares = queries.double().square().sum(1) + bank.double().square().sum(1).amax()
    rounding = squares * (4 * (bank.shape[1] + 8) * 2**-24)
    least = true.amin(1) / (1 - tolerance)
    assert (of_index.square() <= least.square() * (1 + 1e-5) + rounding + 1e-34).all()


@pytest.mark.parametrize("int8", CODES)
@settings(max_examples=150, deadline=None)
@given(
    families=st.tuples(st.sampled_from(FAMILIES), st.sampled_from(FAMILIES)),
    rows=st.integers(1, 400),
    channels=st.integers(1, 260),
    queries=st.integers(1, 40),
    seed=st.integers(0, 2**32 - 1),
    tolerance=st.sampled_from([0.0, 0.1]),
)
def test_no_row_is_nearer_than_the_one_found(
    int8: bool, families: tuple[Family, Family], rows: int, channels: int, queries: int, seed: int, tolerance: float
) -> None:
    generator = torch.Generator().manual_seed(seed)
    bank, x = (family(count, channels, generator) for family, count in zip(families, (rows, queries), strict=True))
    x[::3] = bank[torch.randint(rows, (len(x[::3]),), generator=generator)] * (1 + 1e-3)  # some beside a row
    assert_nearest(BoundedSearch(bank, int8, tolerance).nearest(x), x, bank, tolerance)


@pytest.mark.parametrize("int8", CODES)
def test_rows_of_the_bank_are_found_at_no_distance(int8: bool) -> None:
    bank = torch.randn(3000, 96)
    distances, index = BoundedSearch(bank, int8).nearest(bank)
    assert distances.count_nonzero() == 0
    torch.testing.assert_close(index, torch.arange(3000))


@pytest.mark.parametrize("int8", CODES)
def test_a_bank_in_parts_and_queries_in_steps_are_searched_alike(int8: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    bank, x = torch.randn(1500, 300), torch.randn(700, 300)
    distances, index = BoundedSearch(bank, int8).nearest(x)
    monkeypatch.setattr("app.detectors.bounded.PART", 400)
    monkeypatch.setattr("app.detectors.coded_bank.BLOCK", 200)
    monkeypatch.setattr("app.detectors.bounded.PRODUCTS", 400 * 128)
    in_parts = BoundedSearch(bank, int8).nearest(x)
    torch.testing.assert_close(in_parts[0], distances, rtol=0, atol=0)
    torch.testing.assert_close(in_parts[1], index)


@pytest.mark.parametrize("share", ["MOST_GROUPS", "MOST_ROWS"])
@pytest.mark.parametrize("int8", CODES)
def test_queries_with_too_many_candidates_are_compared_with_all_rows(
    int8: bool, share: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    bank, x = torch.randn(2000, 300), torch.randn(50, 300)  # noise: bounds rule out little
    expected = BoundedSearch(bank, int8).nearest(x)[1]
    monkeypatch.setattr(f"app.detectors.coded_bank.{share}", 1e-6)
    torch.testing.assert_close(BoundedSearch(bank, int8).nearest(x)[1], expected)


@pytest.mark.parametrize("int8", CODES)
def test_queries_that_float32_cannot_square_get_the_distance_that_float32_gives(int8: bool) -> None:
    bank = torch.randn(500, 32)
    x = torch.randn(6, 32)
    x[1], x[2, 3], x[3, 0] = 1e18, torch.nan, torch.inf
    distances, index = BoundedSearch(bank, int8).nearest(x)
    assert_nearest((distances[[0, 4, 5]], index[[0, 4, 5]]), x[[0, 4, 5]], bank)
    torch.testing.assert_close(distances[1], torch.tensor(1e18 * 32**0.5))
    assert distances[2].isnan()
    assert not distances[3].isfinite()
