import pytest
import torch
from torch import Tensor

from app.errors import UnsupportedImport
from app.importing.gaussians import positions, selected, whiteners
from app.tiling import Tiling, plan
from app.tiling.config import TilingMode


def distances(matrix: Tensor, offset: Tensor) -> Tensor:
    """x^T M x of each position, [P] float64."""
    return torch.einsum("pc,pcd,pd->p", offset.double(), matrix.double(), offset.double())


def test_whiteners_give_the_same_distances() -> None:
    samples = torch.randn(6, 20, 5)
    inverse = torch.linalg.inv(samples.mT @ samples / 20 + 0.01 * torch.eye(5))
    offset = torch.randn(6, 5)
    whitener = whiteners(inverse)
    assert torch.equal(whitener, whitener.tril())
    whitened = (whitener @ offset[:, :, None])[..., 0]
    torch.testing.assert_close(whitened.double().square().sum(1), distances(inverse, offset), rtol=1e-5, atol=1e-6)


def test_negative_eigenvalues_of_an_inverse_are_dropped() -> None:
    inverse = torch.stack([torch.eye(3), torch.diag(torch.tensor([4.0, 1.0, -1e-6]))])
    offset = torch.tensor([[1.0, 1.0, 1.0], [1.0, 2.0, 5.0]])
    expected = torch.tensor([3.0, 8.0])
    whitened = (whiteners(inverse) @ offset[:, :, None])[..., 0]
    torch.testing.assert_close(whitened.square().sum(1), expected, rtol=1e-5, atol=1e-5)


def test_only_the_symmetric_part_of_an_inverse_counts() -> None:
    inverse = torch.eye(3) + torch.tensor([[0.0, 0.2, 0.0], [-0.2, 0.0, 0.0], [0.0, 0.0, 0.0]])
    assert torch.allclose(whiteners(inverse[None])[0], torch.eye(3))


@pytest.mark.parametrize(
    ("tiling", "size", "fitted", "shape"),
    [
        (Tiling(enable=False), (64, 96), (16, 24), (16, 24)),
        (Tiling(enable=False), (65, 94), (17, 24), (17, 24)),
        (Tiling(tile_size=32), (64, 96), (16, 24), (16, 24)),
        (Tiling(tile_size=32), (72, 80), (24, 24), (18, 20)),
        (Tiling(tile_size=32, mode=TilingMode.interpolation), (64, 96), (64, 96), (16, 24)),
        (Tiling(tile_size=32, mode=TilingMode.interpolation), (72, 80), (72, 80), (24, 24)),
    ],
)
def test_the_cells_of_a_picture_are_selected_from_the_fitted_grid(
    tiling: Tiling, size: tuple[int, int], fitted: tuple[int, int], shape: tuple[int, int]
) -> None:
    rows, columns, across = positions(plan(tiling, *size), 4, fitted[0] * fitted[1])
    assert (len(rows), len(columns), across) == (*shape, fitted[1])
    values = torch.arange(float(fitted[0] * fitted[1]))
    found = selected(values, rows, columns, across)
    assert found.shape == shape
    assert torch.equal(found, values.reshape(fitted)[rows][:, columns])


@pytest.mark.parametrize("length", [65, 72, 90, 96, 127])
def test_each_cell_is_selected_from_a_pixel_that_shows_it(length: int) -> None:
    mode: TilingMode = TilingMode.interpolation
    rows, _, _ = positions(plan(Tiling(tile_size=32, mode=mode), length, 32), 4, length * 32)
    cells = torch.arange(float(len(rows)))
    enlarged = torch.nn.functional.interpolate(cells[None, None], size=length)[0, 0]
    assert torch.equal(enlarged[rows], cells)


def test_another_number_of_positions_is_refused() -> None:
    with pytest.raises(UnsupportedImport, match=r"\b100 .*64 x 96 .*32 x 32 .*16 x 24"):
        positions(plan(Tiling(tile_size=32), 64, 96), 4, 100)
    with pytest.raises(UnsupportedImport, match=r"\b100 .*64 x 96 .*no tiles .*16 x 24"):
        positions(plan(Tiling(enable=False), 64, 96), 4, 100)
