import pytest
import torch

from app.detectors.nearest import BANK_ROWS, QUERY_ROWS, nearest


@pytest.mark.parametrize("queries", [1, QUERY_ROWS + 1])
@pytest.mark.parametrize("rows", [1, 700, BANK_ROWS + 5])
def test_neighbours_are_those_of_all_distances(queries: int, rows: int) -> None:
    x, bank = torch.randn(queries, 24), torch.randn(rows, 24)
    distances, index = nearest(x, bank)
    expected = torch.cdist(x.double(), bank.double())
    torch.testing.assert_close(distances.double(), expected.amin(1), rtol=1e-5, atol=0)
    torch.testing.assert_close(expected.gather(1, index[:, None])[:, 0], expected.amin(1), rtol=1e-6, atol=0)


def test_small_distances_between_large_vectors_are_exact() -> None:
    """|x|^2 - 2 x.y + |y|^2 would lose all digits here."""
    bank = torch.full((3, 16), 1000.0) + torch.arange(3)[:, None]
    distances, index = nearest(bank + 1e-2, bank)
    assert index.tolist() == [0, 1, 2]
    torch.testing.assert_close(distances, torch.full((3,), 4e-2), rtol=1e-2, atol=0)
