import pytest
import torch
from torch import Tensor

from app.errors import UnsupportedImport
from app.importing.gaussians import positions, selected, whiteners
from app.tiling import Tiling, plan
from app.tiling.config import Mode


def distances(matrix: Tensor, offset: Tensor) -> Tensor:
    """Of x^T M x, [P], in float64."""
    return torch.einsum("pc,pcd,pd->p", offset.double(), matrix.double(), offset.double())


def test_whiteners_give_the_same_distances() -> None:
    samples = torch.randn(6, 20, 5)
    inverse = torch.linalg.inv(samples.mT @ samples / 20 + 0.01 * torch.eye(5))
    offset = torch.randn(6, 5)
    whitener = whiteners(inverse)
    assert torch.equal(whitener, whitener.tril())
    whitened = (whitener @ offset[:, :, None])[..., 0]
    torch.testing.assert_close(whitened.double().square().sum(1), distances(inverse, offset), rtol=1e-5, atol=1e-6)


def test_an_inverse_that_rounding_left_indefinite_loses_what_is_negative() -> None:
    inverse = torch.stack([torch.eye(3), torch.diag(torch.tensor([4.0, 1.0, -1e-6]))])
    offset = torch.tensor([[1.0, 1.0, 1.0], [1.0, 2.0, 5.0]])
    expected = torch.tensor([3.0, 8.0])
    whitened = (whiteners(inverse) @ offset[:, :, None])[..., 0]
    torch.testing.assert_close(whitened.square().sum(1), expected, rtol=1e-5, atol=1e-5)


def test_only_the_symmetric_part_counts() -> None:
    inverse = torch.eye(3) + torch.tensor([[0.0, 0.2, 0.0], [-0.2, 0.0, 0.0], [0.0, 0.0, 0.0]])
    assert torch.allclose(whiteners(inverse[None])[0], torch.eye(3))


@pytest.mark.parametrize(
    ("tiling", "size", "fitted", "shape"),
    [
        (Tiling(enable=False), (64, 96), (16, 24), (16, 24)),
        (Tiling(enable=False), (65, 94), (17, 24), (17, 24)),
        (Tiling(tile_size=32), (64, 96), (16, 24), (16, 24)),
        (Tiling(tile_size=32), (72, 80), (24, 24), (18, 20)),
        (Tiling(tile_size=32, mode="interpolation"), (64, 96), (64, 96), (16, 24)),
        (Tiling(tile_size=32, mode="interpolation"), (72, 80), (72, 80), (24, 24)),
    ],
)
def test_our_grid_is_found_in_the_fitted_one(
    tiling: Tiling, size: tuple[int, int], fitted: tuple[int, int], shape: tuple[int, int]
) -> None:
    rows, columns, across = positions(plan(tiling, *size), 4, fitted[0] * fitted[1])
    assert (len(rows), len(columns), across) == (*shape, fitted[1])
    values = torch.arange(float(fitted[0] * fitted[1]))
    found = selected(values, rows, columns, across)
    assert found.shape == shape
    assert torch.equal(found, values.reshape(fitted)[rows][:, columns])


@pytest.mark.parametrize("length", [65, 72, 90, 96, 127])
def test_pixels_are_found_that_show_each_cell(length: int) -> None:
    mode: Mode = "interpolation"
    rows, _, _ = positions(plan(Tiling(tile_size=32, mode=mode), length, 32), 4, length * 32)
    cells = torch.arange(float(len(rows)))
    enlarged = torch.nn.functional.interpolate(cells[None, None], size=length)[0, 0]
    assert torch.equal(enlarged[rows], cells)


def test_another_number_of_positions_is_refused() -> None:
    message = "Gaussians of 100 positions, and pictures of 64 x 96 pixels with tiles of 32 x 32 have 16 x 24"
    with pytest.raises(UnsupportedImport, match=message):
        positions(plan(Tiling(tile_size=32), 64, 96), 4, 100)
    with pytest.raises(UnsupportedImport, match="no tiles have 16 x 24; give the image_size and the tiling"):
        positions(plan(Tiling(enable=False), 64, 96), 4, 100)
