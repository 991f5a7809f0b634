"""Features of tiles compared with those of the untiled network."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from app.artifacts import Artifact
from app.detectors import ReverseDistillation
from app.errors import InsufficientMemory, InvalidDataset, InvalidTiling
from app.evaluation.report import draw_seams, make_seam_record, write_seams
from app.evaluation.report.seams import LINE
from app.evaluation.seams import OWN, Compared, SeamMeter, TilingErrors, tilings
from app.pipeline import Preprocessing, TiledModel
from app.tiling import Blend, Tiling, TilingMode
from tests.conftest import draw_surface

PLENTY = 2**33


def picture(height: int = 96, width: int = 160) -> Tensor:
    return torch.from_numpy(draw_surface(5, height, width)).movedim(-1, 0)


@pytest.fixture(scope="module")
def meter(artifact: Artifact) -> SeamMeter:
    return SeamMeter(artifact.model, PLENTY)


@pytest.fixture(scope="module")
def compared(meter: SeamMeter) -> Compared:
    return meter.add(picture())


@pytest.fixture(scope="module")
def found(meter: SeamMeter, compared: Compared) -> dict[str, TilingErrors]:
    return {each.name: each for each in meter.results()}


def test_a_larger_halo_has_smaller_errors_and_more_work(found: dict[str, TilingErrors]) -> None:
    halos = [f"halo of {halo}" for halo in (0, 32, 64, 96, 128)]
    assert list(found) == [OWN, *halos, "half overlap, Gaussian"]
    assert found["halo of 0"].mean > 10 * found["halo of 32"].mean > 0
    beside = found["halo of 0"].at_tiles
    assert beside[0] is not None
    assert beside[0] > 0.05
    assert found["half overlap, Gaussian"].mean < found["halo of 0"].mean / 2
    assert found["halo of 32"].work == 3 * 96 * 128 / (96 * 160)  # windows as high as the picture
    assert found[OWN].work == 2 * 4 * 64 * 64 / (96 * 160)


def test_a_picture_that_fits_into_a_window_has_no_error(found: dict[str, TilingErrors]) -> None:
    assert found["halo of 96"].largest < 1e-5
    assert found["halo of 96"].work == 1
    assert found["halo of 96"].at_tiles == (None,) * 5  # no edge between tiles


def test_a_model_that_fills_its_halo_differs_at_the_edge_of_the_picture(artifact: Artifact) -> None:
    tiling = replace(artifact.model.tiling, halo=32, stride=(64, 64))
    model = TiledModel(artifact.model.detector, Preprocessing(), tiling)
    meter = SeamMeter(model, PLENTY)
    meter.add(picture())
    own, within = (next(each for each in meter.results() if each.name == name) for name in (OWN, "halo of 32"))
    assert own.at_picture[0] is not None
    assert within.at_picture[0] is not None
    assert own.at_picture[0] > 0.05 > 10 * within.at_picture[0]


def test_the_tilings_differ_from_the_models_in_halo_overlap_and_mode() -> None:
    tiling = Tiling(tile_size=(64, 96), halo=16, thumbnail=False)
    model = TiledModel(ReverseDistillation("resnet18", pre_trained=False), Preprocessing(), tiling)
    found = tilings(model)
    assert found[OWN] == tiling
    assert found["halo of 96"] == replace(tiling, halo=96, mode=TilingMode.within)
    overlapping = found["half overlap, Gaussian"]
    assert (overlapping.stride, overlapping.blend) == ((32, 64), Blend.gaussian)
    for each in found.values():
        each.require_multiples(model.detector.stride, model.detector.tile_multiple)


def test_a_large_picture_is_compared_in_its_middle(artifact: Artifact) -> None:
    meter = SeamMeter(artifact.model, 2 * artifact.model.detector.activation_bytes(100 * 100))
    image = picture(200, 301)
    compared = meter.add(image)
    assert meter.sizes == [(96, 96)]  # in whole cells of 8 pixels
    assert torch.equal(compared.image, image[:, 52:148, 102:198])


def test_what_cannot_be_compared_is_refused(artifact: Artifact) -> None:
    with pytest.raises(InsufficientMemory, match="8 x 8 pixels"):
        SeamMeter(artifact.model, 0)
    with pytest.raises(InvalidDataset, match=r"50 x 7 pixels.*8 x 8; use larger"):
        SeamMeter(artifact.model, PLENTY).add(picture(7, 50))
    with pytest.raises(InvalidTiling, match=r"one tile.*use a model with tiles"):
        tilings(TiledModel(artifact.model.detector, Preprocessing(), Tiling(enable=False)))


def test_the_report_shows_the_errors_and_where_they_lie(
    artifact: Artifact, meter: SeamMeter, compared: Compared, tmp_path: Path
) -> None:
    record = make_seam_record(meter.results(), meter.sizes, ["<a>.png"], artifact, "surfaces")
    write_seams(tmp_path, record, draw_seams(compared))
    written, page = json.loads((tmp_path / "seams.json").read_text()), (tmp_path / "seams.html").read_text()
    assert written == record
    assert [each["to"] for each in written["distances"]] == [8, 16, 32, 64, None]
    assert page.count("<img") == 1 + len(written["tilings"])
    for each in written["tilings"]:
        assert f"{each['mean']:.2e}" in page
    assert "&lt;a&gt;.png" in page
    assert "<a>" not in page


def test_the_map_has_a_line_at_each_edge_between_tiles(compared: Compared) -> None:
    plain = next(each for each in compared.maps if each.name == "halo of 0")
    assert (plain.rows, plain.columns) == ((64,), (64, 128))
    assert plain.errors.shape == (24, 40)  # cells of 4 pixels
    assert plain.errors[15, :].mean() > 10 * plain.errors[6, 4:10].mean()
    assert LINE not in (0, 255)
