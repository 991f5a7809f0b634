import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from app.detectors.bounded import BoundedSearch, has_fast_int8
from tests.neighbours import FAMILIES, Family, assert_nearest

CODES = [pytest.param(True, marks=pytest.mark.skipif(not has_fast_int8(), reason="no VNNI")), False]


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
