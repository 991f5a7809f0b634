from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from app.detectors.nearest import nearest
from app.detectors.search import FEWEST_ROWS, TOLERANCE, BankSearch, SearchMode


@pytest.mark.parametrize("mode", list(SearchMode))
@pytest.mark.parametrize("rows", [1, FEWEST_ROWS - 1, FEWEST_ROWS, 3 * FEWEST_ROWS])
def test_the_neighbours_are_those_of_all_distances(rows: int, mode: SearchMode) -> None:
    bank, x = torch.randn(rows, 40), torch.randn(300, 40)
    distances, index = BankSearch(bank, mode).nearest(x)
    expected, expected_index = nearest(x, bank)
    if mode == "approximate":
        assert (distances <= expected / (1 - TOLERANCE) * (1 + 1e-6)).all()
    else:
        torch.testing.assert_close(distances, expected, rtol=1e-6, atol=0)
        torch.testing.assert_close(index, expected_index)


def test_several_threads_search_a_bank_at_once() -> None:
    bank, queries = torch.randn(2048, 24), [torch.randn(300 + number, 24) for number in range(8)]
    search = BankSearch(bank, SearchMode.exact)
    expected = [search.nearest(each) for each in queries]
    with ThreadPoolExecutor(4) as pool:
        for _ in range(5):
            for found, true in zip(pool.map(search.nearest, queries), expected, strict=True):
                assert torch.equal(found[0], true[0]) and torch.equal(found[1], true[1])


def test_a_bank_in_half_precision_is_searched_in_float32() -> None:
    bank, x = torch.randn(2 * FEWEST_ROWS, 40).half(), torch.randn(300, 40)
    distances, index = BankSearch(bank, SearchMode.exact).nearest(x)
    torch.testing.assert_close(distances, torch.cdist(x.double(), bank.double()).amin(1).float())
    torch.testing.assert_close(index, nearest(x, bank.float())[1])


@pytest.mark.parametrize("value", [torch.nan, torch.inf, 1e20])
def test_a_bank_without_bounds_gives_the_distances_of_float32(value: float) -> None:
    bank, x = torch.randn(2 * FEWEST_ROWS, 40), torch.randn(30, 40)
    bank[7, 3] = value
    torch.testing.assert_close(BankSearch(bank, SearchMode.exact).nearest(x)[0], nearest(x, bank)[0], equal_nan=True)


def test_a_search_is_valid_for_its_unchanged_bank_its_mode_and_its_codes() -> None:
    bank = torch.randn(5, 4)
    search = BankSearch(bank, SearchMode.exact)
    assert search.is_valid_for(bank, SearchMode.exact, None)
    assert not search.is_valid_for(bank, SearchMode.approximate, None)
    assert not search.is_valid_for(bank.clone(), SearchMode.exact, None)
    assert not search.is_valid_for(bank, SearchMode.exact, torch.float32)
    bank.zero_()
    assert not search.is_valid_for(bank, SearchMode.exact, None)


@pytest.mark.gpu
def test_a_gpu_finds_the_same_neighbours() -> None:
    bank, x = torch.randn(2 * FEWEST_ROWS, 40), torch.randn(300, 40)
    distances, index = BankSearch(bank.cuda(), SearchMode.exact).nearest(x.cuda())
    expected, expected_index = nearest(x, bank)
    torch.testing.assert_close(distances.cpu(), expected, rtol=1e-5, atol=0)
    torch.testing.assert_close(index.cpu(), expected_index)
