import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from app.detectors.bounded import QUERIES_AT_ONCE, STEP, BoundedSearch, benchmark_product, fast_codes
from tests.neighbours import FAMILIES, Family, assert_nearest

FAST = fast_codes()
CODES = [
    torch.float32,
    torch.bfloat16,  # emulated on processors that cannot multiply it
    pytest.param(torch.int8, marks=pytest.mark.skipif(torch.int8 not in FAST, reason="no VNNI")),
]


@pytest.mark.parametrize("codes", CODES)
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
    codes: torch.dtype,
    families: tuple[Family, Family],
    rows: int,
    channels: int,
    queries: int,
    seed: int,
    tolerance: float,
) -> None:
    generator = torch.Generator().manual_seed(seed)
    bank, x = (family(count, channels, generator) for family, count in zip(families, (rows, queries), strict=True))
    x[::3] = bank[torch.randint(rows, (len(x[::3]),), generator=generator)] * (1 + 1e-3)  # a third near rows
    assert_nearest(BoundedSearch(bank, codes, tolerance).nearest(x), x, bank, tolerance)


@pytest.mark.parametrize("codes", CODES)
def test_rows_of_the_bank_are_found_at_distance_0(codes: torch.dtype) -> None:
    bank = torch.randn(3000, 96)
    distances, index = BoundedSearch(bank, codes).nearest(bank)
    assert distances.count_nonzero() == 0
    torch.testing.assert_close(index, torch.arange(3000))


@pytest.mark.parametrize("codes", CODES)
def test_the_sizes_of_parts_and_steps_do_not_change_the_result(
    codes: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    bank, x = torch.randn(1500, 300), torch.randn(700, 300)
    distances, index = BoundedSearch(bank, codes).nearest(x)
    monkeypatch.setattr("app.detectors.bounded.PART", 400)
    monkeypatch.setattr("app.detectors.coded_bank.BLOCK", 200)
    monkeypatch.setattr("app.detectors.bounded.MOST_PRODUCTS", 400 * 128)
    in_parts = BoundedSearch(bank, codes).nearest(x)
    torch.testing.assert_close(in_parts[0], distances, rtol=0, atol=0)
    torch.testing.assert_close(in_parts[1], index)


@pytest.mark.parametrize("share", ["MOST_GROUPS", "MOST_ROWS"])
@pytest.mark.parametrize("codes", CODES)
def test_queries_with_too_many_candidates_are_compared_with_all_rows(
    codes: torch.dtype, share: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    bank, x = torch.randn(2000, 300), torch.randn(50, 300)  # noise: bounds rule out few rows
    expected = BoundedSearch(bank, codes).nearest(x)[1]
    monkeypatch.setattr(f"app.detectors.coded_bank.{share}", 1e-6)
    torch.testing.assert_close(BoundedSearch(bank, codes).nearest(x)[1], expected)


@pytest.mark.parametrize("codes", CODES)
def test_queries_that_overflow_when_squared_get_the_distances_of_float32(codes: torch.dtype) -> None:
    bank = torch.randn(500, 32)
    x = torch.randn(6, 32)
    x[1], x[2, 3], x[3, 0] = 1e18, torch.nan, torch.inf
    distances, index = BoundedSearch(bank, codes).nearest(x)
    assert_nearest((distances[[0, 4, 5]], index[[0, 4, 5]]), x[[0, 4, 5]], bank)
    torch.testing.assert_close(distances[1], torch.tensor(1e18 * 32**0.5))
    assert distances[2].isnan()
    assert not distances[3].isfinite()


@pytest.mark.parametrize("codes", CODES)
def test_the_number_of_queries_at_once_does_not_change_the_result(codes: torch.dtype) -> None:
    bank, x = torch.randn(2000, 64), torch.randn(1000, 64)
    search = BoundedSearch(bank, codes)
    found = []
    for at_once in (*QUERIES_AT_ONCE, 1):
        search.queries_at_once = at_once
        assert search.queries_at_once == max(at_once, STEP)
        found.append(search.nearest(x))
    assert all(torch.equal(index, found[0][1]) for _, index in found)


@pytest.mark.parametrize("codes", CODES)
def test_the_products_for_time_measurements_have_the_size_of_a_step(codes: torch.dtype) -> None:
    products = benchmark_product(codes, STEP, 256)()
    assert isinstance(products, torch.Tensor) and products.shape == (STEP, 256)
    assert (products == products[0, 0]).all()
