import pytest
import torch
from torch import Tensor

from app.detectors import whitening
from app.detectors.whitening import lower_triangular, packed_in_place, packed_size, whitened_lengths

GRID = (7, 5)


def lower(channels: int) -> Tensor:
    return torch.randn(GRID[0] * GRID[1], channels, channels).tril_()


def expected_lengths(matrices: Tensor, vectors: Tensor) -> Tensor:
    """Lengths of the products, computed in float64, for matrices of the whole grid."""
    products = matrices.double().view(*GRID, *matrices.shape[1:]) @ vectors.double().unsqueeze(-1)
    lengths: Tensor = products[..., 0].norm(dim=-1)
    return lengths.float()


@pytest.mark.parametrize("channels", [1, 7, 20, 21, 53])
@pytest.mark.parametrize(("top", "bottom", "left", "right"), [(0, 7, 0, 5), (2, 7, 0, 5), (4, 5, 0, 5), (1, 6, 2, 4)])
def test_lengths_are_those_of_the_products(channels: int, top: int, bottom: int, left: int, right: int) -> None:
    matrices, vectors = lower(channels), torch.randn(*GRID, channels)
    expected = expected_lengths(matrices, vectors)[top:bottom, left:right]
    packed = packed_in_place(matrices, GRID[1], lambda part: part)
    found = whitened_lengths(packed, GRID, vectors[top:bottom, left:right], top, left)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=0)


def test_packed_matrices_of_many_channels_take_about_half_of_the_memory() -> None:
    assert packed_size(100) == 6000
    assert packed_size(550) < 0.52 * 550**2


@pytest.mark.parametrize("rows_at_once", [1, 2, 100])
def test_matrices_are_packed_in_their_own_memory(rows_at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(whitening, "GROUP_BYTES", 4 * 45**2 * GRID[1] * rows_at_once)
    matrices, vectors = lower(45), torch.randn(*GRID, 45)
    expected, progress = 2 * expected_lengths(matrices, vectors), list[int]()
    packed = packed_in_place(matrices, GRID[1], lambda part: 2 * part, progress.append)
    torch.testing.assert_close(whitened_lengths(packed, GRID, vectors, 0, 0), expected, rtol=1e-5, atol=0)
    assert packed.data_ptr() == matrices.data_ptr()
    assert packed.numel() == GRID[0] * GRID[1] * packed_size(45)
    assert progress[-1] == GRID[0] * GRID[1]


def test_any_matrix_is_made_lower_triangular_with_the_same_distances() -> None:
    matrices = torch.stack([torch.randn(6, 6), torch.randn(6, 6).triu(), torch.randn(6, 6).tril()])
    found, vectors = lower_triangular(matrices), torch.randn(3, 6, 1)
    assert torch.equal(found, found.tril())
    assert torch.equal(found[2], matrices[2])
    torch.testing.assert_close((found @ vectors).norm(dim=1), (matrices @ vectors).norm(dim=1), rtol=1e-5, atol=0)
    assert lower_triangular(found) is found
