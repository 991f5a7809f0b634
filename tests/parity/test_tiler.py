"""Our `Tiler` equals anomalib's wherever anomalib's is right, and is right elsewhere."""

from dataclasses import dataclass, replace
from random import Random

import pytest
import torch
from anomalib.data.utils.tiler import Tiler as Reference
from torch import Tensor

from app.errors import InvalidTiling
from app.tiling import Size, Tiler, Tiling
from app.tiling.config import TilingMode

CASES = 1000
MODES: tuple[TilingMode, TilingMode] = (TilingMode.padding, TilingMode.interpolation)


@dataclass(frozen=True)
class Case:
    """Pictures and their tiling. With a feature stride above 1, the tiles to be stitched are smaller by that factor."""

    seed: int
    tile: Size
    stride: Size
    image: Size
    border: int  # cells
    mode: TilingMode
    feature_stride: int = 1

    def ours(self) -> Tiler:
        return Tiler(self.tile, self.stride, self.border * self.feature_stride, self.mode)

    def reference(self) -> Reference:
        return Reference(self.tile, self.stride, self.border, self.mode)

    def pictures(self) -> Tensor:
        generator = torch.Generator().manual_seed(self.seed)
        return torch.rand(1 + self.seed % 2, 1 + self.seed % 3, *self.image, generator=generator)

    def tiles(self) -> Tensor:
        """Random tiles, as a backbone could have made them, with values in [1, 2)."""
        count = len(self.pictures()) * self.ours().plan(*self.image).count
        cells = [edge // self.feature_stride for edge in self.tile]
        return 1 + torch.rand(count, 2, *cells, generator=torch.Generator().manual_seed(self.seed))


def random_case(seed: int, mode: TilingMode | None = None, on_grid: bool = False, feature_stride: int = 1) -> Case:
    """A case that anomalib accepts: the tile fits the picture, and the border is less than half a tile and a stride."""
    random = Random(seed)  # noqa: S311 - no secret
    tile = tuple(random.randint(1, 20 // feature_stride + 1) for _ in range(2))
    stride = tuple(random.randint(1, edge) for edge in tile)
    border = random.randint(0, min((min(tile) - 1) // 2, min(stride) - 1)) if random.random() < 0.5 else 0
    image = tuple(
        edge + (random.randint(0, 4) * step if on_grid else random.randint(0, 4 * step))
        for edge, step in zip(tile, stride, strict=True)
    )
    (th, tw), (sh, sw), (h, w) = (tuple(edge * feature_stride for edge in size) for size in (tile, stride, image))
    chosen = mode if mode is not None else random.choice(MODES)
    return Case(seed, (th, tw), (sh, sw), (h, w), border, chosen, feature_stride)


def stitched_by_reference(case: Case, tiles: Tensor) -> Tensor:
    """anomalib's result at the tiles' scale. With interpolation anomalib enlarges features to pixels: undone here."""
    reference = case.reference()
    reference.tile(case.pictures())
    step = case.feature_stride if case.mode == TilingMode.interpolation else 1
    stitched: Tensor = reference.untile(tiles)[..., ::step, ::step]
    return stitched


def stitched(case: Case, tiles: Tensor) -> Tensor:
    """Our result, by the same calls as anomalib's."""
    ours = case.ours()
    ours.tile(case.pictures())
    return ours.untile(tiles)


def extent(case: Case, tiles: Tensor) -> tuple[Tensor, Tensor]:
    """The smallest and the largest value that tiles have at each cell, their borders included."""
    plan, scale = case.ours().plan(*case.image), case.feature_stride
    least = torch.full((len(case.pictures()), 2, *(edge // scale for edge in plan.canvas_size)), torch.inf)
    greatest = -least
    for index in range(plan.count):
        row, column = divmod(index, plan.columns)
        top, left = plan.y.starts[row] // scale, plan.x.starts[column] // scale
        place = (..., slice(top, top + tiles.shape[-2]), slice(left, left + tiles.shape[-1]))
        least[place] = torch.minimum(least[place], tiles[index :: plan.count])
        greatest[place] = torch.maximum(greatest[place], tiles[index :: plan.count])
    height, width = case.image
    return least[..., :height, :width], greatest[..., :height, :width]


def assert_equal_where_covered(case: Case) -> None:
    """Asserts that cells inside the borders of a tile equal anomalib's.

    In all other cells anomalib has 0; ours must lie between the smallest and the largest value of the tiles there.
    """
    tiles = case.tiles()
    ours, theirs = stitched(case, tiles), stitched_by_reference(case, tiles)
    inside = theirs > 0
    torch.testing.assert_close(ours[inside], theirs[inside], rtol=1e-6, atol=0, msg=lambda text: f"{case}\n{text}")
    assert ours.isfinite().all(), case
    least, greatest = extent(case, tiles)
    assert (ours >= least * (1 - 1e-6))[~inside].all(), case
    assert (ours <= greatest * (1 + 1e-6))[~inside].all(), case


def test_tiles_are_equal_bit_for_bit() -> None:
    for seed in range(CASES):
        case = random_case(seed)
        pictures = case.pictures()
        assert torch.equal(case.ours().tile(pictures), case.reference().tile(pictures)), case


def test_one_picture_without_a_batch_is_tiled_alike() -> None:
    case = random_case(7)
    picture = case.pictures()[0]
    assert torch.equal(case.ours().tile(picture), case.reference().tile(picture))


def test_random_tiles_are_stitched_alike_with_padding() -> None:
    for seed in range(CASES):
        assert_equal_where_covered(random_case(seed, TilingMode.padding))


def test_random_tiles_are_stitched_alike_with_interpolation_on_the_grid() -> None:
    for seed in range(CASES):
        assert_equal_where_covered(random_case(seed, TilingMode.interpolation, on_grid=True))


def test_stretched_pictures_are_restored() -> None:
    """anomalib shrinks by nearest neighbour, which does not undo its stretching by nearest neighbour."""
    for seed in range(CASES):
        case = random_case(seed, TilingMode.interpolation)
        pictures = case.pictures()
        tiles = case.ours().tile(pictures)
        restored, theirs = stitched(case, tiles), stitched_by_reference(case, tiles)
        torch.testing.assert_close(restored, pictures, rtol=1e-6, atol=1e-7)
        inverted = (theirs - pictures).abs() <= 1e-7
        torch.testing.assert_close(restored[inverted], theirs[inverted], rtol=1e-6, atol=2e-7)


def test_random_tiles_are_stitched_alike_where_both_take_the_same_pixel_of_the_stretched_canvas() -> None:
    compared = 0
    for seed in range(CASES):
        case = random_case(seed, TilingMode.interpolation)
        tiles = case.tiles()
        height, width = case.ours().plan(*case.image).canvas_size
        numbers = Tiler(case.tile, case.stride).tile(torch.arange(height * width).view(1, 1, height, width).float())
        numbers = numbers.repeat(len(case.pictures()), 2, 1, 1)
        alike = (stitched(case, numbers) - stitched_by_reference(case, numbers)).abs() < 0.5
        theirs = stitched_by_reference(case, tiles)
        chosen = alike & (theirs > 0)
        torch.testing.assert_close(stitched(case, tiles)[chosen], theirs[chosen], rtol=1e-6, atol=0)
        compared += int(chosen.sum())
    assert compared > 100 * CASES


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("feature_stride", [4, 8])
def test_features_are_stitched_alike_on_the_grid(feature_stride: int, mode: TilingMode) -> None:
    """Borders are in pixels in Tessera, and in cells in anomalib."""
    for seed in range(CASES // 5):
        assert_equal_where_covered(random_case(seed, mode, on_grid=True, feature_stride=feature_stride))


@pytest.mark.parametrize("feature_stride", [4, 8])
def test_features_off_the_grid_are_those_of_the_picture(feature_stride: int) -> None:
    """anomalib keeps the cells of the padding and scales the map with them: a blob at 280 is reported at 165."""
    for seed in range(CASES // 5):
        case = random_case(seed, TilingMode.padding, feature_stride=feature_stride)
        cut = [min(seed % feature_stride, edge - tile) for edge, tile in zip(case.image, case.tile, strict=True)]
        case = replace(case, image=(case.image[0] - cut[0], case.image[1] - cut[1]), border=0)
        tiles = case.tiles()
        ours, theirs = stitched(case, tiles), stitched_by_reference(case, tiles)
        rows, columns = (-(-edge // feature_stride) for edge in case.image)
        assert ours.shape[-2:] == (rows, columns)
        torch.testing.assert_close(ours, theirs[..., :rows, :columns], rtol=1e-6, atol=0)


def test_stretched_features_keep_the_cells_of_the_canvas() -> None:
    """anomalib enlarges them to one cell per pixel: 90,000 Gaussians instead of 16,384."""
    tiler = Tiler(256, mode=TilingMode.interpolation)
    assert len(tiler.tile(torch.rand(1, 3, 300, 300))) == 4
    a, b, c, d = features = torch.rand(4, 2, 64, 64)
    expected = torch.cat([torch.cat([a, b], -1), torch.cat([c, d], -1)], -2)
    assert torch.equal(tiler.untile(features)[0], expected)


def test_stride_defaults_to_the_tile_size() -> None:
    with pytest.raises(AttributeError):
        Reference(tile_size=[6, 4])
    picture = torch.rand(2, 3, 20, 15)
    assert torch.equal(Tiler([6, 4]).tile(picture), Reference([6, 4], [6, 4]).tile(picture))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_precision_is_kept(dtype: torch.dtype) -> None:
    ours, reference, picture = Tiler(8, 4), Reference(8, 4), torch.rand(1, 3, 18, 23).to(dtype)
    tiles = ours.tile(picture)
    assert tiles.dtype == dtype
    assert torch.equal(tiles.float(), reference.tile(picture))
    assert ours.untile(tiles).dtype == dtype
    torch.testing.assert_close(ours.untile(tiles), picture)


def test_two_pictures_interleaved_are_both_restored() -> None:
    ours, first, second = Tiler(8, 4), torch.rand(1, 3, 20, 33), torch.rand(2, 3, 41, 9)
    tiles = ours.tile(first), ours.tile(second)
    torch.testing.assert_close(ours.untile(tiles[0], ours.plan(20, 33)), first)
    torch.testing.assert_close(ours.untile(tiles[1], ours.plan(41, 9)), second)


def test_pictures_smaller_than_a_tile_are_padded() -> None:
    ours, picture = Tiler(8, 4), torch.rand(1, 3, 5, 7)
    with pytest.raises(ValueError, match="exceeds image size"):
        Reference(8, 4).tile(picture)
    assert torch.equal(ours.tile(picture), torch.nn.functional.pad(picture, (0, 1, 0, 3)))
    assert torch.equal(ours.untile(ours.tile(picture)), picture)


@pytest.mark.parametrize("border", [5, 16])
def test_borders_of_tiles_side_by_side_leave_no_holes(border: int) -> None:
    """The border of a tile is kept where no other tile covers it.

    With features at 1/8, anomalib has 53 % zeros with a border of 5, and only zeros with a border of 16.
    """
    picture, features = torch.rand(1, 3, 512, 512), torch.rand(4, 2, 32, 32)
    for tiles in (features, Tiler(256).tile(picture)):
        plain, ours = Tiler(256), Tiler(256, remove_border_count=border)
        plain.tile(picture), ours.tile(picture)
        assert torch.equal(ours.untile(tiles), plain.untile(tiles))


@pytest.mark.parametrize(("tile_size", "stride"), [(256, 100), (200, 100), (222, 111)])
def test_tilings_off_the_feature_grid_are_refused(tile_size: int, stride: int) -> None:
    """anomalib leaves 14 % to 42 % of the cells zero, or fails on a shape."""
    with pytest.raises(InvalidTiling, match="multiple of 16"):
        Tiling(True, tile_size, stride).require_multiples(16)


@pytest.mark.parametrize(
    ("tile_size", "stride"),
    [
        (200, 100),
        (222, 111),
        (256, 100),
    ],
)
def test_tiles_off_the_feature_grid_are_not_stitched(tile_size: int, stride: int) -> None:
    tiler = Tiler(tile_size, stride)
    count = len(tiler.tile(torch.rand(1, 3, 512, 512)))
    with pytest.raises(InvalidTiling):
        tiler.untile(torch.rand(count, 2, tile_size // 16, tile_size // 16))
