"""A picture whose blocks are measured by others has the map, the score and the checkpoints of an undivided one."""

from collections.abc import Callable
from itertools import product
from pathlib import Path

import pytest
import torch

from app.pipeline import BlockPixels, MeasuredBlock, Roi, Scan, TensorRows, TiledModel, predict, read_checkpoint
from app.pipeline import division as dividing
from app.pipeline.assembly import Assembly, completed
from app.pipeline.division import block_rows
from app.pipeline.joining import measured
from app.tiling import Size, Tiling
from tests.pipeline.conftest import Build, noise
from tests.pipeline.test_roi import OTHERS, SIZE, TILINGS, picture
from tests.pipeline.test_scan import direct, exhausted
from tests.pipeline.test_thumbnail import TILING, detector, fitted

REGION = Roi(41, 57, 110, 150)


class Direct:
    """Measures each block in the calling thread, when its result is wanted."""

    room = 1

    def __init__(self, model: TiledModel) -> None:
        self._model = model
        self.begun: list[BlockPixels] = []
        self.waiting = self.most_waiting = 0

    def begin(self, block: BlockPixels) -> Callable[[], MeasuredBlock]:
        self.begun.append(block)
        self.waiting += 1
        self.most_waiting = max(self.waiting, self.most_waiting)

        def outcome() -> MeasuredBlock:
            self.waiting -= 1
            prepared = block.upload(self._model)
            assembly = Assembly(self._model, prepared)
            for features in self._model.outputs(prepared, 4):
                for _ in assembly.add(features):
                    pass
            return completed(measured(assembly, block.block, self._model.detector.map_strides))

        return outcome


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks have one to three tiles along each edge, so that small pictures have several."""
    monkeypatch.setattr(dividing, "LEAST_EDGE", 1)
    monkeypatch.setattr(dividing, "MOST_EDGE", 3)


def assert_divided_equals(model: TiledModel, image: torch.Tensor, roi: Roi | None = None) -> Direct:
    division = Direct(model)
    whole = predict(model, image, 4, roi)
    bands, score = exhausted(Scan(model, TensorRows(image), roi, division).run(direct(model)))
    found = torch.cat([band.values for band in bands])
    assert score == pytest.approx(whole.raw_score, rel=1e-5)
    torch.testing.assert_close(found, whole.anomaly_map, rtol=0, atol=2e-5 * float(whole.anomaly_map.max()))
    return division


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize(
    ("name", "tiling"), [*product(["subspace"], TILINGS), *product(["stfpm", *OTHERS], ["overlapping"])]
)
def test_a_divided_picture_equals_the_whole(build: Build, name: str, tiling: str) -> None:
    model = build(name, TILINGS[tiling], SIZE)
    blocks = len(assert_divided_equals(model, picture(SIZE)).begun)
    assert blocks == 1 if tiling in ("stretched", "whole") else blocks > 4


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize(("name", "tiling"), [("stfpm", "overlapping"), ("patchcore", "within"), ("padim", "halo")])
def test_a_region_of_a_divided_picture_equals_that_of_the_whole(build: Build, name: str, tiling: str) -> None:
    assert len(assert_divided_equals(build(name, TILINGS[tiling], SIZE), picture(SIZE), REGION).begun) > 1


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize(("name", "size"), [("padim", (150, 200)), ("stfpm", (400, 300))])
def test_a_resized_picture_is_divided_at_its_new_size(build: Build, name: str, size: Size) -> None:
    model = build(name, TILINGS["side by side"], (192, 256), (192, 256))
    assert len(assert_divided_equals(model, picture(size)).begun) > 1
    assert_divided_equals(model, picture(size), Roi(60, 90, 30, 40))


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("name", ["subspace", "patchcore"])
def test_the_thumbnail_of_a_divided_picture_is_measured_once(name: str) -> None:
    model, _ = fitted(detector(name), TILING, noise(3, (200, 260)))
    division = assert_divided_equals(model, picture((200, 260)))
    assert len(division.begun) > 1
    assert all(each.block.plan.thumbnail is None for each in division.begun)


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("size", [(65, 300), (300, 65), (64, 64), (1, 1), (133, 197)], ids=str)
@pytest.mark.parametrize("tiling", ["covering", "within"])
def test_pictures_of_any_size_are_divided(build: Build, tiling: str, size: Size) -> None:
    assert_divided_equals(build("subspace", TILINGS[tiling], SIZE), picture(size))


@pytest.mark.usefixtures("small_blocks")
def test_sixteen_bits_and_grey_are_divided(build: Build) -> None:
    model, image = build("subspace", TILINGS["side by side"], SIZE), picture(SIZE)
    assert_divided_equals(model, (image.int() * 257).to(torch.uint16))
    assert_divided_equals(model, image[:1])


@pytest.mark.usefixtures("small_blocks")
def test_a_block_has_no_pixels_but_those_of_its_tiles(build: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dividing, "MOST_EDGE", 1)
    model = build("subspace", TILINGS["halo"], SIZE)
    for block in assert_divided_equals(model, picture(SIZE)).begun:
        assert max(block.pixels.shape[1:]) <= 64 + 2 * 16


@pytest.mark.usefixtures("small_blocks")
def test_rows_of_blocks_are_read_ahead_up_to_a_limit(build: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    model, image = build("subspace", TILINGS["side by side"], SIZE), picture((960, 128))
    assert assert_divided_equals(model, image).most_waiting == 5  # all: rows of one block
    monkeypatch.setattr("app.pipeline.scan.AHEAD_PIXELS", 1)
    assert assert_divided_equals(model, image).most_waiting == 1


@pytest.mark.usefixtures("small_blocks")
def test_a_divided_scan_goes_on_from_each_checkpoint(
    build: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dividing, "MOST_EDGE", 2)
    model, image = build("patchcore", TILINGS["overlapping"], SIZE), picture(SIZE)
    whole, score = exhausted(Scan(model, TensorRows(image), None, Direct(model)).run(direct(model)))
    for number, band in enumerate(whole[:-1]):
        assert band.checkpoint is not None
        band.checkpoint.write(tmp_path / "checkpoint")
        begin = read_checkpoint(tmp_path / "checkpoint")
        division = Direct(model)
        scan = Scan(model, TensorRows(image), None, division)
        assert begin is not None and scan.goes_on_from(begin)
        rest, again = exhausted(scan.run(direct(model), begin))
        assert again == score
        for one, other in zip(rest, whole[number + 1 :], strict=True):
            assert torch.equal(one.values, other.values) and torch.equal(one.pixels, other.pixels)
    assert len(whole) > 2
    monkeypatch.setattr("app.pipeline.scan.BAND_TILES", 1)
    undivided = Scan(model, TensorRows(image))
    monkeypatch.setattr(dividing, "MOST_EDGE", 1)
    divided = Scan(model, TensorRows(image), None, Direct(model))
    assert len(divided.bands) == len(undivided.bands)  # and yet their checkpoints differ
    bands, _ = exhausted(divided.run(direct(model)))
    assert bands[0].checkpoint is not None and not undivided.goes_on_from(bands[0].checkpoint)


def test_blocks_are_smaller_if_there_are_more_engines_and_rows_are_low_if_they_are_wide(build: Build) -> None:
    model = build("subspace", Tiling(tile_size=256, stride=128), SIZE)

    def numbers(size: Size, room: int) -> tuple[int, int, float]:
        plan = model.plan(*size)
        rows = block_rows(model, plan, size, None, room)
        tiles = sum(block.plan.count for row in rows for block in row.blocks)
        return len(rows), len(rows[0].blocks), tiles / plan.count

    few, many = numbers((8192, 8192), 4), numbers((8192, 8192), 32)
    assert few[:2] == (5, 5) and few[2] < 1.2
    assert many[0] * many[1] >= 100 and many[2] < 1.5
    wide = block_rows(model, model.plan(8192, 2**16), (8192, 2**16), None, 4)
    assert max(len(row.shown) for row in wide) <= 2**25 // 2**16 + 2 * 256
