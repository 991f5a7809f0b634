import pytest
import torch

from app.backbones import IMAGENET
from app.detectors import DETECTORS
from app.errors import InvalidDataset, InvalidTiling
from app.pipeline import Preprocessing, TiledModel, assembled, predict
from app.pipeline.assembly import Assembly
from app.pipeline.parts import FeatureStitcher
from app.scoring.anomaly_map import ROWS
from app.tiling import Size, Tiling, tile, untile
from app.tiling.config import TilingMode
from tests.pipeline.conftest import Build

ON_GRID = [(64, 64), (112, 160), (160, 64), (64, 208), (256, 112)]
OFF_GRID = [(128, 128), (130, 161), (65, 64), (64, 65), (159, 61), (177, 130), (48, 48), (300, 90)]
CASES = [(TilingMode.padding, size) for size in ON_GRID] + [(mode, size) for mode in TilingMode for size in OFF_GRID]

OTHERS = sorted(DETECTORS.keys() - {"subspace"})

REMAINDERS = {"reverse_distillation": 0.5}
"""The share of the difference that may remain with a halo of 64, 0.1 by default: this decoder's cells see further."""


def picture_with_blob(size: Size, centre: Size) -> torch.Tensor:
    picture = (torch.randn(3, *size, generator=torch.Generator().manual_seed(9)) * 4 + 128).to(torch.uint8)
    y, x = centre
    picture[:, max(y - 3, 0) : y + 4, max(x - 3, 0) : x + 4] = 255
    return picture


@pytest.mark.parametrize(
    ("name", "mode", "size"),
    [
        *(("subspace", *case) for case in CASES),  # how tiles are cut and stitched does not depend on the detector
        *((name, *CASES[number]) for name in OTHERS for number in range(OTHERS.index(name), len(CASES), len(OTHERS))),
    ],
)
def test_a_blob_is_reported_at_its_place(build: Build, name: str, mode: TilingMode, size: Size) -> None:
    """Within one cell of the deepest layer, whether or not the picture's size is on the grid of tiles."""
    stride = 64 if mode is TilingMode.within else 48  # a multiple of 32, which Reverse Distillation needs
    model = build(name, Tiling(tile_size=64, stride=stride, mode=mode), size)
    for centre in ((size[0] - 9, size[1] - 12), (size[0] // 3, size[1] // 2)):
        found = predict(model, picture_with_blob(size, centre), 4).anomaly_map
        assert tuple(found.shape) == size
        peak = divmod(int(found.argmax()), size[1])
        assert max(abs(peak[0] - centre[0]), abs(peak[1] - centre[1])) <= model.detector.stride


@pytest.mark.parametrize("name", sorted(DETECTORS))
def test_the_number_of_tiles_in_a_batch_does_not_change_the_outcome(build: Build, name: str) -> None:
    model = build(name, Tiling(tile_size=64, stride=32), (160, 130))
    picture = picture_with_blob((160, 130), (80, 60))
    outcomes = [predict(model, picture, batch_tiles) for batch_tiles in (1, 3, 100)]
    for outcome in outcomes[1:]:
        torch.testing.assert_close(outcome.anomaly_map, outcomes[0].anomaly_map, rtol=1e-4, atol=1e-4)
        assert outcome.raw_score == pytest.approx(outcomes[0].raw_score, rel=1e-4)


@pytest.mark.parametrize("name", sorted(DETECTORS))
@pytest.mark.parametrize(
    ("dtype", "stride", "size"),
    [
        (torch.float32, 64, (128, 192)),
        (torch.float32, 32, (130, 161)),
        (torch.bfloat16, 64, (130, 161)),
        (torch.bfloat16, 32, (128, 192)),
    ],
)
def test_features_are_measured_in_any_order_of_memory_and_in_half_precision(
    build: Build, name: str, dtype: torch.dtype, stride: int, size: Size
) -> None:
    model = build(name, Tiling(tile_size=64, stride=stride), size)
    prepared = model.prepare(picture_with_blob(size, (80, 60)))
    outputs = [tuple(each.to(dtype) for each in features) for features in model.outputs(prepared, 4)]
    expected = assembled(model, [tuple(each.float() for each in features) for features in outputs], prepared)
    last = [tuple(each.contiguous(memory_format=torch.channels_last) for each in features) for features in outputs]
    found = assembled(model, last, prepared)
    largest = float(expected.anomaly_map.max())
    torch.testing.assert_close(found.anomaly_map, expected.anomaly_map, rtol=0, atol=1e-5 * largest)
    assert found.raw_score == pytest.approx(expected.raw_score, rel=0.02)  # of equally distant patches any may count


@pytest.mark.parametrize("name", sorted(DETECTORS))
@pytest.mark.parametrize("size", [(128, 192), (130, 161)])
def test_adjacent_tiles_have_the_distances_of_the_stitched_picture(build: Build, name: str, size: Size) -> None:
    model = build(name, Tiling(tile_size=64), size)
    prepared = model.prepare(picture_with_blob(size, (80, 60)))
    tiles = [torch.cat(each) for each in zip(*model.outputs(prepared, 4), strict=True)]
    stitched = tuple(untile(each, prepared.plan) for each in tiles)
    assembly = Assembly(model, prepared)
    list(assembly.add(tuple(tiles)))
    for found, expected in zip(assembly.distances, model.detector.measure(stitched, [(0, 0)]).distances, strict=True):
        torch.testing.assert_close(found, expected[0], rtol=1e-4, atol=1e-5 * float(expected.max()))


@pytest.mark.parametrize("name", sorted(DETECTORS))
@pytest.mark.parametrize("size", [(1, 1), (7, 300), (160, 160)])
def test_pictures_of_any_size_get_a_map_of_their_size(build: Build, name: str, size: Size) -> None:
    model = build(name, Tiling(tile_size=64, stride=64))
    outcome = predict(model, picture_with_blob(size, (0, 0)), 4)
    assert tuple(outcome.anomaly_map.shape) == size
    assert outcome.anomaly_map.isfinite().all()


@pytest.mark.parametrize("name", sorted(DETECTORS))
@pytest.mark.parametrize("size", [(160, 160), (150, 133)])
def test_without_tiling_the_whole_picture_is_one_tile(build: Build, name: str, size: Size) -> None:
    model = build(name, Tiling(enable=False), size)
    found = predict(model, picture_with_blob(size, (40, 90)), 4).anomaly_map
    peak = divmod(int(found.argmax()), size[1])
    assert max(abs(peak[0] - 40), abs(peak[1] - 90)) <= model.detector.stride


@pytest.mark.parametrize("name", sorted(DETECTORS))
def test_a_halo_makes_tiles_agree_with_the_whole_picture(build: Build, name: str) -> None:
    """Features beside a seam are wrong without context, and right with enough. The picture's edges are not compared."""
    picture = picture_with_blob((192, 192), (96, 96))
    differences = []
    for halo in (0, 64):
        model = build(name, Tiling(tile_size=64, halo=halo), (192, 192))
        whole = TiledModel(model.detector, model.preprocessing, Tiling(enable=False))
        tiled, untiled = (_stitched(each, picture) for each in (model, whole))
        inner = slice(tiled.shape[1] // 4, 3 * tiled.shape[1] // 4)
        offset = (tiled - untiled)[:, inner, inner].abs().mean()
        differences.append(float(offset / untiled[:, inner, inner].abs().mean()))
    assert differences[1] <= REMAINDERS.get(name, 0.1) * differences[0]


def _stitched(model: TiledModel, picture: torch.Tensor) -> torch.Tensor:
    """The first feature of a whole picture."""
    prepared = model.prepare(picture)
    stitcher = FeatureStitcher(prepared.plan)
    bands = [rows[0].clone() for features in model.outputs(prepared, 4) for rows, _ in stitcher.add(features)]
    return torch.cat(bands, 1)


@pytest.mark.parametrize(("name", "stride"), [*((name, 64) for name in sorted(DETECTORS)), ("stfpm", 32)])
def test_large_pictures_are_processed_in_many_steps(build: Build, name: str, stride: int) -> None:
    """The device can work on other pictures between the steps."""
    model = build(name, Tiling(tile_size=64, stride=stride), image_size=(600, 400))
    prepared = model.prepare(picture_with_blob((600, 350), (80, 60)))
    assembly = Assembly(model, prepared)
    outputs = tuple(torch.cat(each) for each in zip(*model.outputs(prepared, 64), strict=True))
    cells = sum(each.shape[0] * each.shape[1] for each in assembly.distances[:1])
    assert len(list(assembly.add(outputs))) >= cells / model.detector.step_cells(model.device)
    assert len(list(assembly.finish())) >= 2 * (600 // ROWS)


def test_tiles_are_normalised_and_their_padding_is_zero(build: Build) -> None:
    model = build("patchcore", Tiling(tile_size=64))
    picture = torch.randint(0, 256, (3, 100, 70), dtype=torch.uint8)
    prepared = model.prepare(picture)
    mean, std = (torch.tensor(values)[:, None, None] for values in (IMAGENET.mean, IMAGENET.std))
    expected = tile((picture / 255 - mean) / std, prepared.plan)
    torch.testing.assert_close(model.cut(prepared, range(prepared.plan.count)), expected)


def test_grey_colour_and_16_bit_versions_of_a_picture_give_the_same_tiles(build: Build) -> None:
    model = build("patchcore", Tiling(tile_size=64))
    grey = torch.randint(0, 256, (1, 100, 70), dtype=torch.uint8)
    deep = (grey.to(torch.int32) * 257).to(torch.uint16)
    tiles = [model.cut(model.prepare(picture), [0, 1]) for picture in (grey, grey.expand(3, -1, -1), deep)]
    torch.testing.assert_close(tiles[1], tiles[0])
    torch.testing.assert_close(tiles[2], tiles[0])


def test_pictures_are_resized_with_antialiasing_before_they_are_tiled(build: Build) -> None:
    model = build("patchcore", Tiling(tile_size=64), image_size=(64, 128))
    picture = torch.randint(0, 256, (3, 300, 500), dtype=torch.uint8)
    prepared = model.prepare(picture)
    expected = torch.nn.functional.interpolate(picture[None].float(), size=(64, 128), mode="bilinear", antialias=True)
    torch.testing.assert_close(prepared.pixels, expected[0])
    assert prepared.plan.image_size == (64, 128)
    assert prepared.image_size == (300, 500)


def test_tiles_off_the_feature_grid_are_refused(build: Build) -> None:
    with pytest.raises(InvalidTiling, match="96 or 112"):
        build("patchcore", Tiling(tile_size=100))


@pytest.mark.gpu
@pytest.mark.parametrize("name", sorted(DETECTORS))
def test_the_gpu_gives_the_outcome_of_the_cpu(build: Build, name: str) -> None:
    model = build(name, Tiling(tile_size=64, stride=32))
    picture = picture_with_blob((160, 160), (80, 60))
    expected = predict(model, picture, 4)
    on_gpu = TiledModel(model.detector, model.preprocessing, model.tiling, device="cuda")
    outcome = predict(on_gpu, picture, 4)
    torch.testing.assert_close(outcome.anomaly_map.cpu(), expected.anomaly_map, rtol=1e-2, atol=1e-2)


def test_a_detector_of_one_size_needs_an_image_size() -> None:
    with pytest.raises(InvalidDataset, match="image_size"):
        TiledModel(DETECTORS["padim"](backbone="resnet18"), Preprocessing(None), Tiling(tile_size=64))
