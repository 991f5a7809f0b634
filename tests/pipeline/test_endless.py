"""The map and the regions of rows that arrive without a known end equal those of the whole picture."""

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from torch import Tensor

from app.detectors import DETECTORS, with_thumbnail
from app.errors import NotStreamable
from app.pipeline import Preprocessing, TiledModel, predict, run_band
from app.pipeline import endless as streaming
from app.pipeline.endless import EndlessScan, MapRows
from app.scoring import Region, RegionFinder, find_regions
from app.tiling import PaddingFill, Size, Tiling, TilingMode
from app.zones import Zone, Zones
from tests.building import build_detector
from tests.pipeline.conftest import Build
from tests.pipeline.test_roi import TILINGS

WIDTH = 200
UNSUITABLE = {"padim", "reverse_distillation"}
SUITABLE = sorted(DETECTORS.keys() - UNSUITABLE)
STREAMED = {name: tiling for name, tiling in TILINGS.items() if name not in ("stretched", "within", "whole")}
MIRRORED = [
    Tiling(tile_size=64, halo=16, mode=mode, padding_fill=PaddingFill.reflect)
    for mode in (TilingMode.padding, TilingMode.cover)
]


def rows_of(size: Size) -> Tensor:
    """Noise with blobs in irregular places, [3,H,W]."""
    generator = torch.Generator().manual_seed(7)
    found = (torch.randn(3, *size, generator=generator) * 4 + 128).to(torch.uint8)
    for y in range(11, size[0], 67):
        x = (y * 37) % size[1]
        found[:, max(y - 4, 0) : y + 3, max(x - 3, 0) : x + 4] = 255
    return found


def streamed(model: TiledModel, image: Tensor, pieces: Iterator[int]) -> tuple[list[MapRows], EndlessScan]:
    """The rows of the map, computed whenever a piece of rows has arrived."""
    scan, found, first = EndlessScan(model, image.shape[2], 255.0), [], 0
    while first < image.shape[1]:
        count = next(pieces)
        scan.add(image[:, first : first + count].permute(1, 2, 0).numpy())
        first += count
        found += bands_of(model, scan)
    scan.end()
    return found + bands_of(model, scan), scan


def bands_of(model: TiledModel, scan: EndlessScan) -> list[MapRows]:
    found = []
    while (band := scan.begin_band()) is not None:
        found.append(scan.end_band(run_band(model, band, 4)))
    return found


def assert_equals_whole(model: TiledModel, image: Tensor) -> None:
    whole = predict(model, image, 4).anomaly_map
    random = np.random.default_rng(image.shape[1])
    bands, scan = streamed(model, image, iter(lambda: int(random.integers(1, 60)), 0))
    assert [band.top for band in bands] == [sum(len(each.values) for each in bands[:n]) for n in range(len(bands))]
    assert scan.is_done and scan.complete_rows == image.shape[1]
    torch.testing.assert_close(
        torch.cat([band.values for band in bands]), whole, rtol=0, atol=2e-5 * float(whole.max())
    )
    threshold = float(whole.quantile(0.98))
    finder, early = RegionFinder(threshold), list[Region]()
    for band in bands:
        finder.add(band.values.numpy())
        early += finder.final()
    found = sorted(early + finder.finish(), key=lambda region: (region.top, region.left, region.peak))
    expected = sorted(find_regions(whole.numpy(), threshold), key=lambda region: (region.top, region.left, region.peak))
    assert [(each.top, each.left, each.height, each.width, each.area) for each in found] == [
        (each.top, each.left, each.height, each.width, each.area) for each in expected
    ]
    assert len(found) > 1


@pytest.mark.parametrize("tiling", sorted(STREAMED))
def test_streams_equal_the_whole(build: Build, tiling: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streaming, "BAND_TILES", 1)
    height = int(np.random.default_rng(sorted(STREAMED).index(tiling)).integers(200, 450))
    assert_equals_whole(build("stfpm", STREAMED[tiling]), rows_of((height, WIDTH)))


@pytest.mark.parametrize("name", SUITABLE)
def test_all_suitable_detectors_stream(build: Build, name: str) -> None:
    assert_equals_whole(build(name, STREAMED["covering"]), rows_of((327, WIDTH)))


@pytest.mark.parametrize("tiling", MIRRORED, ids=lambda tiling: tiling.mode)
@pytest.mark.parametrize("height", [1, 40, 63, 64, 65, 80, 81, 129, 144, 145, 199])
def test_low_pictures_and_mirrored_edges_equal_the_whole(build: Build, tiling: Tiling, height: int) -> None:
    """Also where the last row of tiles was computed before the end was known, or the moved last tile overlaps it."""
    model, image = build("subspace", tiling), rows_of((height, WIDTH))
    whole = predict(model, image, 4).anomaly_map
    bands, _ = streamed(model, image, iter(lambda: 16, 0))
    torch.testing.assert_close(
        torch.cat([each.values for each in bands]), whole, rtol=0, atol=2e-5 * float(whole.max())
    )


@pytest.mark.parametrize("tiling", sorted(STREAMED))
def test_the_latency_is_as_announced(build: Build, tiling: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The latest row of the map is known, with the row after it, exactly when the announced rows have arrived."""
    monkeypatch.setattr(streaming, "BAND_TILES", 1)
    model = build("stfpm", STREAMED[tiling])
    scan, image, worst, complete = EndlessScan(model, WIDTH, 255.0), rows_of((500, WIDTH)), 0, 0
    for row in range(500):
        scan.add(image[:, row : row + 1].permute(1, 2, 0).numpy())
        for band in bands_of(model, scan):
            if row > 350:  # later bands are all alike
                worst = max(worst, row - (complete - 1))  # of the last row whose next one was not known before
            complete = band.top + len(band.values)
    assert worst == scan.geometry.latency


def test_a_full_buffer_always_makes_a_band(build: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streaming, "BAND_TILES", 8)
    for tiling in STREAMED.values():
        scan, model = EndlessScan(build("stfpm", tiling), WIDTH, 255.0), build("stfpm", tiling)
        rows = np.zeros((1, WIDTH, 1), np.uint8)
        for _ in range(2):
            while not scan.is_full:
                scan.add(rows)
            band = scan.begin_band()
            assert band is not None
            scan.end_band(run_band(model, band))


def test_nothing_grows_with_the_rows(build: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streaming, "BAND_TILES", 1)
    model = build("patchcore", STREAMED["overlapping"])
    scan, rows = EndlessScan(model, WIDTH, 65535.0), np.zeros((32, WIDTH, 1), np.uint16)
    held = []
    for _ in range(40):
        scan.add(rows)
        for _ in bands_of(model, scan):
            pass
        carried = scan._carried
        if carried is not None:
            shapes = [tuple(each.shape) for each in carried.distances]
            held.append((carried.next_row, shapes, len(carried.score_inputs), len(scan._window._parts), scan._next))
    assert held[-1][2] == 0
    assert len(set(map(str, held[-20:]))) == 1


def test_an_empty_stream_has_no_map(build: Build) -> None:
    scan = EndlessScan(build("stfpm", STREAMED["halo"]), WIDTH, 255.0)
    scan.end()
    assert scan.is_done and scan.begin_band() is None


@pytest.mark.parametrize(
    ("name", "tiling", "image_size", "reason"),
    [
        ("padim", "overlapping", None, "resizes pictures to 160 x 160"),
        ("stfpm", "overlapping", (128, 192), "resizes pictures to 192 x 128"),
        ("stfpm", "whole", None, "is not tiled"),
        ("stfpm", "stretched", None, "stretches"),
        ("stfpm", "within", None, "keeps the halos"),
        ("reverse_distillation", "overlapping", None, "enlarges its map"),
    ],
)
def test_models_that_need_the_height_are_refused(
    build: Build, name: str, tiling: str, image_size: Size | None, reason: str
) -> None:
    with pytest.raises(NotStreamable, match=reason):
        EndlessScan(build(name, TILINGS[tiling], image_size=image_size), WIDTH, 255.0)


def test_zones_in_columns_stream_and_others_are_refused(build: Build) -> None:
    model = build("subspace", STREAMED["covering"])
    edge, high = ((((left, 0), (right, 0), (right, 80), (left, 80)),) for left, right in ((0, 40), (60, 100)))
    columns = Zone("edge", (edge,)), Zone("high", (high,), 2.0, 1.5)
    assert_equals_whole(model.with_zones(Zones((80, WIDTH), columns)), rows_of((327, WIDTH)))
    clamp = Zone("clamp", ((((0, 0), (40, 0), (40, 79), (0, 79)),),))
    with pytest.raises(NotStreamable, match="the model's zone 'clamp' is not a rectangle from the top"):
        EndlessScan(model.with_zones(Zones((80, WIDTH), (clamp,))), WIDTH, 255.0)


def test_models_with_thumbnails_are_refused() -> None:
    tiling = Tiling(tile_size=64, thumbnail=True)
    detector = with_thumbnail(build_detector("subspace"), tiling)
    with pytest.raises(NotStreamable, match="thumbnail"):
        EndlessScan(TiledModel(detector, Preprocessing(), tiling), WIDTH, 255.0)
