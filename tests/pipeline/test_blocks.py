"""A picture that is measured block by block has the map of the whole picture wherever it was looked at."""

from collections.abc import Collection, Sequence
from math import inf

import pytest
import torch
from torch import Tensor

from app.errors import PartialUnsupported
from app.pipeline import Block, BlockGrid, Outcome, Roi, TiledModel, edge_tiles, predict, require_partial
from app.pipeline.assembly import Assembly, completed
from app.pipeline.blocks import disjoint
from app.pipeline.joining import BlockAssembly, BlockPixels, MeasuredBlock, measured
from app.tiling import Tiling
from tests.pipeline.conftest import Build
from tests.pipeline.test_roi import SIZE, TILINGS, picture

DIVIDED = sorted(TILINGS.keys() - {"stretched", "whole"})
LARGE = 330, 394
"""2 or more blocks along each edge in all tilings."""


def measure(model: TiledModel, image: Tensor, blocks: Collection[Block]) -> list[MeasuredBlock]:
    found = []
    for block in blocks:
        prepared = BlockPixels.of(image, block).upload(model)
        assembly = Assembly(model, prepared)
        for features in model.outputs(prepared, 4):
            for _ in assembly.add(features):
                pass
        found.append(completed(measured(assembly, block, model.detector.map_strides)))
    return found


def join(model: TiledModel, grid: BlockGrid, blocks: Sequence[MeasuredBlock], roi: Roi | None = None) -> Outcome:
    coverage = grid.coverage({each.block for each in blocks})
    return completed(BlockAssembly(model, grid.plan, roi, blocks, coverage).finish())


def close(found: Tensor, expected: Tensor, whole: Outcome) -> None:
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5 * float(whole.anomaly_map.max()))


def grid_of(model: TiledModel, size: tuple[int, int], roi: Roi | None = None) -> BlockGrid:
    return BlockGrid(model, model.plan(*size, roi), roi)


@pytest.mark.parametrize(
    ("name", "tiling"),
    [*(("subspace", each) for each in DIVIDED), ("patchcore", "overlapping"), ("stfpm", "overlapping")],
)
def test_all_blocks_together_have_the_map_and_the_score_of_the_picture(build: Build, name: str, tiling: str) -> None:
    model, image = build(name, TILINGS[tiling], SIZE), picture(LARGE)
    whole, grid = predict(model, image, 4), grid_of(model, LARGE)
    assert len(grid.blocks) >= 4
    found = join(model, grid, measure(model, image, list(reversed(grid.blocks))))
    assert found.coverage is not None and found.coverage.complete and found.coverage.share == 1
    close(found.anomaly_map, whole.anomaly_map, whole)
    assert found.raw_score == pytest.approx(whole.raw_score, rel=1e-5)


@pytest.mark.parametrize("tiling", DIVIDED)
def test_some_blocks_have_the_map_of_the_picture_where_it_was_looked_at(build: Build, tiling: str) -> None:
    model, image = build("subspace", TILINGS[tiling], SIZE), picture(LARGE)
    whole, grid = predict(model, image, 4), grid_of(model, LARGE)
    found = join(model, grid, measure(model, image, grid.blocks[1:-1]))
    assert found.coverage is not None
    unseen = torch.zeros(LARGE, dtype=torch.bool)
    for each in found.coverage.unseen:
        place = slice(each.top, each.top + each.height), slice(each.left, each.left + each.width)
        assert not unseen[place].any()  # disjoint
        unseen[place] = True
    assert 0 < float(unseen.float().mean()) < 1
    assert found.coverage.share == pytest.approx(1 - float(unseen.double().mean()))
    assert torch.equal(found.anomaly_map == -inf, unseen)
    close(found.anomaly_map[~unseen], whole.anomaly_map[~unseen], whole)
    assert found.raw_score <= whole.raw_score * (1 + 1e-5)


@pytest.mark.parametrize("name", ["patchcore", "stfpm"])
@pytest.mark.parametrize("roi", [Roi(30, 50, 290, 300), Roi(101, 130, 20, 9)])
def test_blocks_of_a_region_have_its_map_and_score(build: Build, name: str, roi: Roi) -> None:
    model, image = build(name, TILINGS["overlapping"], SIZE), picture(LARGE)
    whole, grid = predict(model, image, 4, roi), grid_of(model, LARGE, roi)
    found = join(model, grid, measure(model, image, grid.blocks), roi)
    close(found.anomaly_map, whole.anomaly_map, whole)
    assert found.raw_score == pytest.approx(whole.raw_score, rel=1e-5)
    if len(grid.blocks) > 1:
        less = join(model, grid, measure(model, image, grid.blocks[:1]), roi)
        seen = less.anomaly_map > -inf
        assert 0 < int(seen.sum()) < seen.numel()
        close(less.anomaly_map[seen], whole.anomaly_map[seen], whole)


def test_larger_blocks_compute_fewer_tiles_twice(build: Build) -> None:
    model, size = build("subspace", Tiling(tile_size=64, stride=32), SIZE), (4096, 4096)
    plan = model.plan(*size)
    tiles = [BlockGrid(model, plan, edges=(edge, edge)).tiles / plan.count for edge in (2, 4, 8)]
    assert 2.3 > tiles[0] > tiles[1] > tiles[2] > 1
    assert tiles[1] < 1.6 and tiles[2] < 1.3
    disjoint_tiles = grid_of(build("subspace", Tiling(tile_size=64), SIZE), size)
    assert disjoint_tiles.tiles == disjoint_tiles.plan.count


def test_blocks_are_larger_if_more_tiles_can_be_computed_in_time() -> None:
    assert [edge_tiles(tiles) for tiles in (None, 1, 60, 225, 1e9)] == [4, 2, 2, 4, 8]


def test_nothing_and_all_are_covered_exactly(build: Build) -> None:
    grid = grid_of(build("subspace", TILINGS["overlapping"], SIZE), LARGE)
    nothing, everything = grid.coverage(()), grid.coverage(set(grid.blocks))
    assert nothing.unseen == (Roi.whole(LARGE),) and (nothing.share, nothing.tiles_done) == (0, 0)
    assert everything.unseen == () and everything.tiles_done == everything.tiles == grid.tiles


def test_rectangles_are_made_disjoint() -> None:
    found = list(disjoint([Roi(0, 0, 4, 4), Roi(2, 2, 4, 4), Roi(2, 10, 4, 1)]))
    pixels = torch.zeros(8, 12, dtype=torch.int64)
    for each in found:
        pixels[each.top : each.top + each.height, each.left : each.left + each.width] += 1
    assert int(pixels.max()) == 1 and int(pixels.sum()) == 16 + 16 - 4 + 4
    assert list(disjoint([])) == []


@pytest.mark.parametrize("tiling", ["stretched", "whole"])
def test_models_that_see_a_picture_at_once_are_refused(build: Build, tiling: str) -> None:
    with pytest.raises(PartialUnsupported, match="partial is true, and the model"):
        require_partial(build("subspace", TILINGS[tiling], SIZE))


def test_models_that_resize_pictures_are_refused(build: Build) -> None:
    with pytest.raises(PartialUnsupported, match="resizes"):
        require_partial(build("padim", TILINGS["overlapping"], SIZE))
    require_partial(build("subspace", TILINGS["overlapping"], SIZE))
