"""A picture that is read and predicted in bands has the map, the score and the regions of the whole."""

from collections.abc import Callable, Generator
from itertools import product
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from app.detectors import DETECTORS, PatchDetector, SecondStage
from app.pipeline import Band, BandOutcome, Roi, Run, TiledModel, predict, read_checkpoint, run_band
from app.pipeline import scan as scanning
from app.pipeline.resizing import resized
from app.pipeline.rows import RowWindow, TensorRows
from app.pipeline.scan import MapBand, Scan
from app.tiling import Size
from tests.pipeline.conftest import Build
from tests.pipeline.test_roi import FEW, OTHERS, SIZE, TILINGS, picture


class SomeRows(TensorRows):
    """Counts the rows that were read, and refuses to read more than the picture has."""

    most = 0

    def read(self, count: int) -> Tensor:
        found = super().read(count)
        assert found.shape[1] == count
        self.most = max(self.most, count)
        return found


def direct(model: TiledModel) -> Run:
    """Runs each band in the calling thread."""

    def run(band: Band) -> Callable[[], BandOutcome]:
        outcome = run_band(model, band, 4)
        return lambda: outcome

    return run


def assert_scan_equals(model: TiledModel, image: Tensor, roi: Roi | None = None) -> SomeRows:
    whole, source = predict(model, image, 4, roi), SomeRows(image)
    region = roi or Roi.whole(source.size)
    steps, found, rows = Scan(model, source, roi).run(direct(model)), torch.empty_like(whole.anomaly_map), 0
    while True:
        try:
            band = next(steps)
        except StopIteration as end:
            assert end.value == pytest.approx(whole.raw_score, rel=1e-5)
            break
        assert band.top == rows
        rows += len(band.values)
        found[band.top : rows] = band.values
        own = image[:, region.top :, region.left : region.left + region.width][:, band.top : rows]
        assert torch.equal(band.pixels, own)
    assert rows == region.height
    largest = float(whole.anomaly_map.max())
    torch.testing.assert_close(found, whole.anomaly_map, rtol=0, atol=2e-5 * largest)
    return source


@pytest.mark.parametrize(
    ("name", "tiling", "tiles"),
    [*product(FEW, TILINGS, [1]), *product(OTHERS, ["overlapping"], [1]), ("subspace", "covering", 8)],
)
def test_bands_equal_the_whole(
    build: Build, name: str, tiling: str, tiles: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scanning, "BAND_TILES", tiles)
    model = build(name, TILINGS[tiling], SIZE)
    source = assert_scan_equals(model, picture(SIZE))
    assert source.most < SIZE[0] or tiling == "whole"
    assert_scan_equals(model, picture(SIZE), Roi(41, 57, 110, 150))


def test_bands_equal_the_whole_with_a_second_stage(build: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scanning, "BAND_TILES", 1)
    model = build("subspace", TILINGS["overlapping"], SIZE)
    detector = model.detector
    assert isinstance(detector, PatchDetector)
    weight = torch.randn(detector.embedding_size, generator=torch.Generator().manual_seed(0))
    changed = model.with_detector(detector.with_second_stage(SecondStage.of(weight, torch.tensor(0.0))))
    assert not torch.allclose(predict(changed, picture(SIZE)).anomaly_map, predict(model, picture(SIZE)).anomaly_map)
    assert_scan_equals(changed, picture(SIZE))


@pytest.mark.parametrize("name", ["patchcore", "padim", "subspace"])
def test_a_scan_goes_on_from_each_checkpoint(
    build: Build, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scanning, "BAND_TILES", 1)
    model, image = build(name, TILINGS["overlapping"], SIZE), picture(SIZE)
    whole, score = exhausted(Scan(model, TensorRows(image)).run(direct(model)))
    for number, band in enumerate(whole[:-1]):
        assert band.checkpoint is not None
        band.checkpoint.write(tmp_path / "checkpoint")
        begin = read_checkpoint(tmp_path / "checkpoint")
        assert begin is not None and begin.rows == band.top + len(band.values)
        rest, again = exhausted(Scan(model, TensorRows(image)).run(direct(model), begin))
        assert again == score
        for one, other in zip(rest, whole[number + 1 :], strict=True):
            assert one.top == other.top
            assert torch.equal(one.values, other.values) and torch.equal(one.pixels, other.pixels)
    assert len(whole) > 2 and whole[-1].checkpoint is None


def exhausted(steps: Generator[MapBand, None, float]) -> tuple[list[MapBand], float]:
    found = []
    while True:
        try:
            found.append(next(steps))
        except StopIteration as end:
            return found, end.value


@pytest.mark.parametrize(("name", "size"), [*((name, (150, 200)) for name in sorted(DETECTORS)), ("stfpm", (700, 500))])
def test_bands_of_resized_pictures_equal_the_whole(
    build: Build, name: str, size: Size, monkeypatch: pytest.MonkeyPatch
) -> None:
    for each in ("BAND_TILES", "MAP_PIXELS"):
        monkeypatch.setattr(scanning, each, 1)
    monkeypatch.setattr("app.pipeline.resizing.PIXELS", 5000)
    model = build(name, TILINGS["overlapping"], (192, 256), (192, 256))
    assert_scan_equals(model, picture(size))
    assert_scan_equals(model, picture(size), Roi(60, 90, 30, 40))


@pytest.mark.parametrize("antialias", [True, False])
@pytest.mark.parametrize("size", [(64, 64), (37, 90), (300, 41), (101, 83), (1, 1)], ids=str)
def test_rows_are_resized_as_the_whole(size: Size, antialias: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.pipeline.resizing.PIXELS", 700)
    image = (torch.rand(3, 101, 83, generator=torch.Generator().manual_seed(1)) * 255).to(torch.uint8)
    whole = F.interpolate(image[None].float(), size=size, mode="bilinear", antialias=antialias)[0]
    torch.testing.assert_close(resized(TensorRows(image), size, antialias=antialias), whole, rtol=0, atol=2e-3)


def test_a_window_keeps_the_rows_that_are_needed() -> None:
    image = torch.arange(40, dtype=torch.uint8).view(1, 20, 2)
    window = RowWindow(TensorRows(image))
    for rows in (range(0, 4), range(2, 9), range(7, 8), range(3, 20)):
        assert torch.equal(window.rows(rows), image[:, rows.start : rows.stop])
        window.drop(min(rows.start, 3))
