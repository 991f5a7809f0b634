import pytest
import torch
from torch import Tensor

from app.pipeline.parts import Part, PartMaker
from app.tiling import Size, Tiling, plan, tile
from app.tiling.config import TilingMode

STRIDES = (4, 8, 16)
TILINGS = [
    Tiling(tile_size=64),
    Tiling(tile_size=64, halo=16),
    Tiling(tile_size=[64, 32], remove_border_count=8),
    Tiling(tile_size=64, stride=48),
    Tiling(tile_size=64, stride=[32, 64]),
    Tiling(enable=False),
]


def cells(picture: Tensor, stride: int) -> Tensor:
    """A feature map [1,h,w]: each cell is the upper left pixel that it shows."""
    return picture[:, ::stride, ::stride]


def parts(tiling: Tiling, picture: Tensor, at_once: int, batch: int) -> list[Part]:
    """Copies of the parts of a picture, for batches of `batch` tiles and a limit of `at_once` cells."""
    height, width = picture.shape[-2:]
    made = plan(tiling, height, width, max(STRIDES))
    tiles = tile(picture, made)
    maker, found = PartMaker(made, STRIDES, at_once), []
    for first in range(0, made.count, batch):
        features = tuple(tiles[first : first + batch, :, ::stride, ::stride] for stride in STRIDES)
        found += [Part(tuple(each.clone() for each in part.features), part.places) for part in maker.add(features)]
    return found


@pytest.mark.parametrize("tiling", TILINGS)
@pytest.mark.parametrize("mode", list(TilingMode))
@pytest.mark.parametrize("size", [(128, 192), (100, 131), (17, 40), (300, 90)])
@pytest.mark.parametrize(("at_once", "batch"), [(1, 1), (60, 3), (700, 100)])
def test_parts_cover_each_cell_of_the_picture_once(
    tiling: Tiling, mode: TilingMode, size: Size, at_once: int, batch: int
) -> None:
    options = {"enable": tiling.enable, "mode": mode, "halo": tiling.halo, "stride": tiling.stride}
    tiling = Tiling(tile_size=tiling.tile_size, remove_border_count=tiling.remove_border_count, **options)  # type: ignore[arg-type]  # of a dict
    picture = torch.arange(1.0, 1 + size[0] * size[1]).view(1, *size)
    made = plan(tiling, *size, max(STRIDES))
    seen = [torch.zeros(1, made.y.cells(stride), made.x.cells(stride)) for stride in STRIDES]
    for part in parts(tiling, picture, at_once, batch):
        for feature, stride, whole in zip(part.features, STRIDES, seen, strict=True):
            for (top, left), each in zip(part.places, feature, strict=True):
                assert top % stride == left % stride == 0
                _, height, width = each.shape
                whole[:, top // stride :, left // stride :][:, :height, :width] += each
    for stride, whole in zip(STRIDES, seen, strict=True):
        if mode is not TilingMode.interpolation or not tiling.enable:
            torch.testing.assert_close(whole, cells(picture, stride))  # overlaps are averaged
        else:  # a stretched picture's canvas: each cell shows some pixel, and shows it once
            assert torch.isin(whole, picture).all()


@pytest.mark.parametrize("tiling", TILINGS)
def test_parts_are_no_larger_than_allowed(tiling: Tiling) -> None:
    """A part has at least the rows of one cell of the deepest layer: 4 rows, of 80 cells or of a tile's 16, 8 or 80."""
    for part in parts(tiling, torch.rand(1, 128, 320), 400, batch=4):
        count, _, height, width = part.features[0].shape
        assert count * height * width <= 400 or height == 4
        assert count == len(part.places)
