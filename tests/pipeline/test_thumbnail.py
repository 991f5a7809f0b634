"""Models with a thumbnail: what they find, and that tiles, regions, batches and sizes agree with it."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from app.detectors import (
    Detector,
    Fusion,
    Padim,
    Patchcore,
    Stfpm,
    Subspace,
    ThumbnailFitter,
    WithThumbnail,
    with_thumbnail,
)
from app.errors import InvalidDataset, InvalidTiling
from app.pipeline import Preprocessing, Roi, TiledModel, predict
from app.pipeline.thumbnail import PIXELS, reduced
from app.scoring import ScoreRule, normal_threshold
from app.tiling import PaddingFill, Size, Tiling, TilingMode
from app.training.one_pass import fit
from tests.pipeline.conftest import noise
from tests.pipeline.test_scan import assert_scan_equals

TILING = Tiling(tile_size=64, mode=TilingMode.cover, padding_fill=PaddingFill.reflect, thumbnail=True)
SIZE = (160, 130)


def detector(name: str, score: ScoreRule = ScoreRule.map) -> Detector:
    torch.manual_seed(0)
    layers = ("layer1", "layer2")
    if name == "patchcore":
        return Patchcore("resnet18", layers, pre_trained=False, coreset_sampling_ratio=0.05, score=score)
    if name == "fusion":
        options = {"patchcore": {"coreset_sampling_ratio": 0.05}}
        return Fusion("resnet18", layers, options=options, pre_trained=False, score=score)
    return Subspace("resnet18", layers, pre_trained=False, score=score)


def fitted(
    kind: Detector, tiling: Tiling, pictures: Sequence[Tensor], image_size: Size | None = None
) -> tuple[TiledModel, ThumbnailFitter | None]:
    model = TiledModel(with_thumbnail(kind, tiling), Preprocessing.for_detector(kind, image_size), tiling)
    plans = [model.plan(*picture.shape[-2:]) for picture in pictures]
    stride = kind.feature_strides[0]
    grid = max(plan.y.cells(stride) for plan in plans), max(plan.x.cells(stride) for plan in plans)
    fitter = fit(model, pictures, len(pictures), grid, batch_tiles=4)
    return model, fitter if isinstance(fitter, ThumbnailFitter) else None


@pytest.fixture(scope="module", params=["subspace", "patchcore", "fusion"])
def model(request: pytest.FixtureRequest) -> TiledModel:
    torch.manual_seed(1)
    return fitted(detector(request.param), TILING, noise(4, SIZE))[0]


def blob(size: Size = SIZE, channels: int = 3) -> Tensor:
    picture = (torch.randn(channels, *size, generator=torch.Generator().manual_seed(9)) * 4 + 128).to(torch.uint8)
    picture[:, size[0] // 2 : size[0] // 2 + 9, size[1] // 3 : size[1] // 3 + 9] = 255
    return picture


def shipped() -> Subspace:
    """A detector with the backbone's weights that come with the program."""
    found = Subspace()
    found.load_weights()
    return found


def board(rng: np.random.Generator, defect: str = "") -> Tensor:
    """A picture [3,288,384] of a board with six equal parts; one of them may be `missing` or `moved`.

    Tiles show parts at all places, and places without a part.
    """
    y, x = np.mgrid[:288, :384]
    plane = rng.normal(120, 5, y.shape)
    changed = rng.integers(6)
    for number in range(6):
        row = 72 + 144 * (number // 3) + rng.uniform(-2, 2)
        column = 64 + 128 * (number % 3) + rng.uniform(-2, 2)
        if number == changed and defect == "missing":
            continue
        if number == changed and defect == "moved":
            column += 40
        inside = np.clip(20 - np.hypot(y - row, x - column), 0, 1)
        plane += inside * (200 - plane)
    return torch.from_numpy(plane.clip(0, 255).astype(np.uint8)).expand(3, -1, -1)


def test_a_missing_or_moved_part_is_found_with_a_thumbnail_and_not_without() -> None:
    rng = np.random.default_rng(0)
    train, normal = [board(rng) for _ in range(12)], [board(rng) for _ in range(10)]
    defects = [board(rng, kind) for kind in ("missing", "moved") * 5]
    tiling = replace(TILING, tile_size=(96, 96), stride=(48, 48))
    found = {}
    for thumbnail in (False, True):
        own, _ = fitted(shipped(), replace(tiling, thumbnail=thumbnail), train)
        scores = [[predict(own, picture).raw_score for picture in pictures] for pictures in (normal, defects)]
        found[thumbnail] = sum(score > max(scores[0]) for score in scores[1])
    assert found[True] >= 9
    assert found[False] <= 5


def test_a_missing_part_is_outlined_at_its_place() -> None:
    rng = np.random.default_rng(1)
    own, _ = fitted(shipped(), replace(TILING, tile_size=(96, 96)), [board(rng) for _ in range(12)])
    picture = board(rng).clone()
    picture[:, 40:104, 160:224] = picture[:, 112:176, 96:160]  # the part in the middle of the upper row
    y, x = divmod(int(predict(own, picture).anomaly_map.argmax()), 384)
    assert 40 <= y < 104 and 160 <= x < 224


def test_the_rate_of_false_alarms_is_the_requested_one() -> None:
    torch.manual_seed(0)
    tiling, size, count = replace(TILING, tile_size=(32, 32), stride=(32, 32)), (64, 48), 40
    train = noise(count, size)
    own, fitter = fitted(detector("subspace"), tiling, train)
    assert fitter is not None
    scores = []
    for fold in fitter.folds(count):
        without = own.with_detector(fitter.without(fold))
        scores += [predict(without, train[number]).raw_score for number in fold]
    threshold = normal_threshold(scores, 0.05)
    alarms = sum(predict(own, picture).raw_score > threshold for picture in noise(200, size))
    assert 1 <= alarms <= 20  # 10 are expected


def test_the_tiles_keep_the_map_that_they_have_without_a_thumbnail(model: TiledModel) -> None:
    """The map is the mean of both maps on the common scale, and only the thumbnail's depends on it."""
    both = model.detector
    assert isinstance(both, WithThumbnail)
    alone = TiledModel(both.tiles, model.preprocessing, replace(TILING, thumbnail=False))
    by_tiles = predict(alone, blob()).anomaly_map / both.scales[0]
    whole = 2 * predict(model, blob()).anomaly_map - by_tiles
    prepared = model.prepare(blob())
    thumbnail = prepared.plan.thumbnail
    assert thumbnail is not None
    tiles = model.cut(prepared, [prepared.plan.in_grid])
    cells = both.layout(model.run(tiles)[0][:, :, : thumbnail.y.cells(4), : thumbnail.x.cells(4)]) / both.scales[1]
    enlarged = F.interpolate(cells[None], size=SIZE, mode="bilinear")[0, 0]
    inner = slice(20, -20)
    correlation = torch.corrcoef(torch.stack([enlarged[inner, inner].flatten(), whole[inner, inner].flatten()]))
    assert correlation[0, 1] > 0.99


def test_members_are_fitted_as_if_there_were_no_thumbnail() -> None:
    torch.manual_seed(3)
    pictures = noise(5, SIZE)
    both, _ = fitted(detector("subspace"), TILING, pictures)
    alone, _ = fitted(detector("subspace"), replace(TILING, thumbnail=False), pictures)
    assert isinstance(both.detector, WithThumbnail)
    for name, tensor in alone.detector.state_dict().items():
        assert torch.equal(both.detector.tiles.state_dict()[name], tensor), name


@pytest.mark.parametrize("batch_tiles", [1, 3, 100])
def test_the_number_of_tiles_in_a_batch_does_not_change_the_outcome(model: TiledModel, batch_tiles: int) -> None:
    expected, found = predict(model, blob(), 4), predict(model, blob(), batch_tiles)
    torch.testing.assert_close(found.anomaly_map, expected.anomaly_map, rtol=1e-4, atol=1e-4)
    assert found.raw_score == pytest.approx(expected.raw_score, rel=1e-4)


@pytest.mark.parametrize("score", list(ScoreRule))
@pytest.mark.parametrize(("stride", "image_size"), [(64, None), (32, (150, 140))])
def test_the_map_of_a_region_equals_the_map_of_the_picture(
    score: ScoreRule, stride: int, image_size: Size | None
) -> None:
    torch.manual_seed(1)
    tiling = replace(TILING, stride=(stride, stride), halo=16)
    own, _ = fitted(detector("patchcore", score), tiling, noise(4, (230, 200)), image_size)
    picture = blob((230, 200))
    whole = predict(own, picture)
    assert whole.raw_score == pytest.approx(predict(own, picture, roi=Roi(0, 0, 230, 200)).raw_score, rel=1e-4)
    for roi in (Roi(100, 50, 30, 40), Roi(0, 0, 9, 11), Roi(225, 193, 5, 7), Roi(115, 66, 1, 1)):
        found = predict(own, picture, roi=roi)
        expected = whole.anomaly_map[roi.top :, roi.left :][: roi.height, : roi.width]
        torch.testing.assert_close(found.anomaly_map, expected, rtol=1e-4, atol=1e-5)
        if score is not ScoreRule.top:  # of fewer values, the highest 0.1 % may have a larger mean
            assert found.raw_score <= whole.raw_score * 1.0001
        assert own.plan(230, 200, roi).count <= own.plan(230, 200).count


def test_a_region_counts_only_cells_of_the_thumbnail_inside_it() -> None:
    torch.manual_seed(1)
    own, _ = fitted(detector("subspace", ScoreRule.patch), TILING, noise(4, (256, 256)))
    picture = blob((256, 256))
    inside, beside = (predict(own, picture, roi=roi).raw_score for roi in (Roi(120, 80, 30, 30), Roi(0, 200, 30, 30)))
    assert inside == pytest.approx(predict(own, picture).raw_score, rel=1e-4)
    assert beside < inside


@pytest.mark.parametrize("size", [(1, 1), (7, 300), (64, 64), (40, 50), (600, 90)])
def test_pictures_of_any_size_get_a_map_of_their_size(model: TiledModel, size: Size) -> None:
    outcome = predict(model, blob(size))
    assert tuple(outcome.anomaly_map.shape) == size
    assert outcome.anomaly_map.isfinite().all()


@pytest.mark.parametrize("rule", list(ScoreRule))
def test_bands_of_a_picture_equal_the_whole(rule: ScoreRule, monkeypatch: pytest.MonkeyPatch) -> None:
    """The thumbnail is made before the first band: the picture is read twice."""
    monkeypatch.setattr("app.pipeline.scan.BAND_TILES", 1)
    monkeypatch.setattr("app.pipeline.resizing.PIXELS", 5000)
    torch.manual_seed(1)
    model = fitted(detector("subspace", rule), TILING, noise(4, SIZE))[0]
    assert_scan_equals(model, blob((300, 170)))
    assert_scan_equals(model, blob((300, 170)), Roi(40, 30, 150, 90))


def test_pictures_of_one_tile_also_have_a_thumbnail(model: TiledModel) -> None:
    plan = model.plan(64, 64)
    assert (plan.in_grid, plan.count) == (1, 2)
    prepared = model.prepare(blob((64, 64)))
    tile, thumbnail = model.cut(prepared, [0, 1])
    torch.testing.assert_close(tile, thumbnail)


def test_grey_colour_and_16_bit_versions_of_a_picture_give_the_same_thumbnail(model: TiledModel) -> None:
    grey = blob(channels=1)
    deep = (grey.to(torch.int32) * 257).to(torch.uint16)
    last = model.plan(*SIZE).in_grid
    tiles = [model.cut(model.prepare(picture), [last]) for picture in (grey, grey.expand(3, -1, -1), deep)]
    torch.testing.assert_close(tiles[1], tiles[0])
    torch.testing.assert_close(tiles[2], tiles[0], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("fill", list(PaddingFill))
def test_the_rest_of_a_thumbnail_is_filled_like_other_tiles(fill: PaddingFill) -> None:
    tiling = replace(TILING, padding_fill=fill)
    kind = with_thumbnail(detector("subspace"), tiling)
    own = TiledModel(kind, Preprocessing.for_detector(kind), tiling)
    prepared = own.prepare(blob((160, 80)))
    (tile,) = own.cut(prepared, [prepared.plan.in_grid])  # 64 x 32 of 64 x 64
    if fill is PaddingFill.zeros:
        assert (tile[:, :, 32:] == 0).all()
    elif fill is PaddingFill.reflect:
        torch.testing.assert_close(tile[:, :, 32:63], tile[:, :, :31].flip(-1))
    else:
        torch.testing.assert_close(tile[:, :, 32:], tile[:, :, 31:32].expand(-1, -1, 32))


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
def test_reducing_in_bands_equals_reducing_at_once(dtype: torch.dtype) -> None:
    picture = (torch.rand(2, 300, PIXELS // 100) * 255).to(dtype)
    expected = F.interpolate(picture.float()[None], size=(64, 17), mode="bilinear", antialias=True)[0]
    torch.testing.assert_close(reduced(picture, (64, 17)), expected, rtol=1e-4, atol=1e-3)


def test_detectors_that_cannot_measure_thumbnails_are_refused() -> None:
    for kind in (Padim("resnet18"), Stfpm("resnet18")):
        with pytest.raises(InvalidTiling, match=rf"thumbnail is true.*{kind.name}.*Subspace, Patchcore or Fusion"):
            with_thumbnail(kind, TILING)
    subspace = detector("subspace")
    with pytest.raises(InvalidTiling, match=r"thumbnail is true.*subspace measures no"):
        TiledModel(subspace, Preprocessing(), TILING)
    with pytest.raises(InvalidTiling, match=r"thumbnail is false.*subspace needs"):
        TiledModel(with_thumbnail(subspace, TILING), Preprocessing(), replace(TILING, thumbnail=False))
    assert with_thumbnail(subspace, replace(TILING, thumbnail=False)) is subspace


def test_two_pictures_are_too_few() -> None:
    with pytest.raises(InvalidDataset, match="at least 3"):
        fitted(detector("subspace"), TILING, noise(2, SIZE))


@pytest.mark.gpu
def test_a_gpu_has_the_outcome_of_a_cpu() -> None:
    torch.manual_seed(5)
    pictures = noise(4, SIZE)
    outcomes = []
    for device in ("cpu", "cuda"):
        kind = with_thumbnail(detector("subspace", ScoreRule.patch), TILING)
        own = TiledModel(kind, Preprocessing.for_detector(kind), TILING, device=device)
        plan = own.plan(*SIZE)
        fit(own, pictures, 4, (plan.y.cells(4), plan.x.cells(4)), batch_tiles=4)
        outcomes.append(predict(own, blob(), roi=Roi(60, 30, 50, 60)))
    torch.testing.assert_close(outcomes[1].anomaly_map, outcomes[0].anomaly_map, rtol=0.01, atol=0.01)
    assert outcomes[1].raw_score == pytest.approx(outcomes[0].raw_score, rel=0.01)
