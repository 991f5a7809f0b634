"""With the mode `within` and a sufficient halo, stitched features are those of the untiled network."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional as F

from app.backbones import build_backbone
from app.tiling import Blend, PaddingFill, Size, Tiling, TilingMode, plan, tile, untile

GRID = 8
"""The stride of the network `small`."""

WITHIN = Tiling(tile_size=32, halo=16, mode=TilingMode.within, padding_fill=PaddingFill.reflect)


@pytest.fixture(scope="module")
def small() -> nn.Module:
    """A network with a stride of 8, whose cells depend on 13 pixels on each side. Its biases show padding."""
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 4, 7, 2, 3), nn.ReLU(), nn.MaxPool2d(3, 2, 1), nn.Conv2d(4, 4, 3, 1, 1), nn.ReLU(),
        nn.Conv2d(4, 4, 3, 2, 1),
    ).double()  # fmt: skip


@torch.no_grad()
def stitched(network: nn.Module, picture: Tensor, tiling: Tiling, grid: int) -> Tensor:
    height, width = picture.shape[-2:]
    geometry = plan(tiling, height, width, grid)
    return untile(network(tile(picture, geometry)), geometry)


def picture(size: Size) -> Tensor:
    return torch.rand(1, 1, *size, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


@pytest.mark.parametrize("blend", list(Blend))
@pytest.mark.parametrize("stride", [16, 32])
@pytest.mark.parametrize("size", [(160, 120), (72, 40), (64, 64), (24, 200), (8, 8)], ids=str)
def test_features_of_whole_cells_are_those_of_the_untiled_network(
    small: nn.Module, size: Size, stride: int, blend: Blend
) -> None:
    tiling, image = replace(WITHIN, stride=(stride, stride), blend=blend), picture(size)
    exact = small(image).detach()
    torch.testing.assert_close(stitched(small, image, tiling, GRID), exact)
    if min(size) > 64:  # the mode `cover` differs at the picture's edges, and only there
        difference = (stitched(small, image, replace(tiling, mode=TilingMode.cover), GRID) - exact).abs()
        assert difference[..., :2, :].max() > 0.01
        assert difference[..., 2:-2, 2:-2].max() < 1e-9


@pytest.mark.parametrize("fill", list(PaddingFill))
@pytest.mark.parametrize("size", [(157, 115), (66, 121), (33, 90)], ids=str)
def test_other_sizes_are_filled_up_to_whole_cells(small: nn.Module, size: Size, fill: PaddingFill) -> None:
    image, rest = picture(size), (0, -size[1] % GRID, 0, -size[0] % GRID)
    whole = F.pad(image, rest) if fill is PaddingFill.zeros else F.pad(image, rest, mode=str(fill))
    tiling = replace(WITHIN, padding_fill=fill)
    torch.testing.assert_close(stitched(small, image, tiling, GRID), small(whole).detach())


def test_too_small_a_halo_differs_at_the_edges_of_tiles(small: nn.Module) -> None:
    image = picture((160, 120))
    difference = (stitched(small, image, replace(WITHIN, halo=0), GRID) - small(image).detach()).abs().amax((0, 1))
    assert difference[3:5].max() > 0.01  # cells beside the edge between the first two rows of tiles
    assert difference[0, 1] < 1e-9


def test_a_halo_of_96_is_enough_for_a_resnet() -> None:
    torch.manual_seed(0)
    network = build_backbone("resnet18", ("layer1", "layer2", "layer3"), (4, 8, 16)).eval()
    network.draw_weights()
    image = torch.rand(1, 3, 304, 272)
    tiling = Tiling(tile_size=64, halo=96, mode=TilingMode.within)
    geometry = plan(tiling, 304, 272, network.stride)
    assert geometry.count == 25
    with torch.no_grad():
        tiled, untiled = network(tile(image, geometry)), network(image)
    for layer, exact in untiled.items():
        difference = torch.linalg.vector_norm(untile(tiled[layer], geometry) - exact, dim=1)
        assert (difference / torch.linalg.vector_norm(exact, dim=1)).max() < 1e-3, layer


@given(st.integers(1, 2000), st.integers(1, 20), st.integers(0, 10), st.integers(1, 16), st.data())
def test_windows_lie_within_the_picture_and_have_their_halo(
    length: int, cells: int, halo: int, grid: int, data: st.DataObject
) -> None:
    stride = data.draw(st.integers(1, cells)) * grid
    tiling = Tiling(tile_size=cells * grid, stride=stride, halo=halo * grid, mode=TilingMode.within)
    axis = plan(tiling, length, length, grid).y
    assert axis.canvas == -(-length // grid) * grid
    for index, start in enumerate(axis.starts):
        first, last = axis.window(index)
        assert first % grid == 0
        assert last - first == axis.tile + 2 * axis.halo
        assert 0 <= first <= max(start - axis.halo, 0)
        assert min(start + axis.tile + axis.halo, axis.canvas) <= last <= axis.canvas
        assert axis.context(index) == start - first
    assert axis.count == 1 or axis.canvas > (cells + 2 * halo) * grid


def test_a_picture_that_fits_into_a_window_is_one_tile_without_halo() -> None:
    found = plan(replace(WITHIN, remove_border_count=8), 60, 300, GRID)
    assert (found.rows, found.y.tile, found.y.halo, found.y.canvas) == (1, 64, 0, 64)
    assert found.input_size == (64, 64)
    assert found.columns > 1
    assert plan(WITHIN, 20, 41, GRID).input_size == (24, 48)


def test_all_tiles_have_the_size_of_the_thumbnail() -> None:
    found = plan(replace(WITHIN, thumbnail=True), 20, 300, GRID)
    assert found.thumbnail is not None
    assert found.input_size == found.thumbnail.input_size == (64, 64)
    assert (found.rows, found.y.cells(GRID)) == (1, 3)
