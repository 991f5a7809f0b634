"""The assessment counts the synthetic defects that a model finds."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from app.artifacts import DefectSizeRecord, QualityRecord
from app.data import UnreadablePolicy
from app.pipeline import TiledModel
from app.training.assessment import DIAMETERS, TRIED, HeldOut, assess, defective
from app.training.calibration import ReadingOptions
from tests.conftest import draw_surface

READING = ReadingOptions(0, 8, UnreadablePolicy("stop"))


@pytest.fixture
def pictures(tmp_path: Path) -> list[Path]:
    """Three normal pictures, one of them with 16 bits."""
    paths = [tmp_path / f"{number}.png" for number in range(3)]
    for number, path in enumerate(paths[:2]):
        Image.fromarray(draw_surface(50 + number)).save(path)
    Image.fromarray(draw_surface(52)[..., 0].astype(np.uint16) * 257).save(paths[2])
    return paths


def found(model: TiledModel, pictures: Sequence[Path], threshold: float | None = None) -> tuple[DefectSizeRecord, ...]:
    assert model.calibration is not None
    limit = model.calibration.pixel_threshold if threshold is None else threshold
    return assess([HeldOut(lambda: model, pictures[:1]), HeldOut(lambda: model, pictures[1:])], limit, READING)


def test_large_defects_are_found_and_invisible_ones_are_not(
    tiny_model: TiledModel, pictures: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    visible = found(tiny_model, pictures)
    assert [record.diameter for record in visible] == [4, 8, 16]  # of 96 x 160 pixels
    assert all(record.tried >= TRIED for record in visible)
    assert visible[-1].found >= 0.9 * visible[-1].tried
    assert QualityRecord(defects=visible).smallest_defect in (4, 8, 16)
    assert found(tiny_model, pictures) == visible
    monkeypatch.setattr("app.training.assessment.CONTRAST", 0.01)
    assert all(record.found <= 0.2 * record.tried for record in found(tiny_model, pictures))


def test_nothing_exceeds_an_infinite_threshold(tiny_model: TiledModel, pictures: list[Path]) -> None:
    assert all(record.found == 0 for record in found(tiny_model, pictures, float("inf")))


def test_many_pictures_are_sampled(tiny_model: TiledModel, pictures: list[Path]) -> None:
    records = found(tiny_model, pictures * 20)
    assert {record.tried for record in records} == {TRIED}


def test_pictures_that_are_too_small_for_any_defect_are_not_assessed(tiny_model: TiledModel, tmp_path: Path) -> None:
    Image.fromarray(draw_surface(1, 12, 40)).save(tmp_path / "small.png")
    assert found(tiny_model, [tmp_path / "small.png"]) == ()
    assert found(tiny_model, []) == ()


@pytest.mark.parametrize("size", [(64, 64), (300, 400)])
def test_copies_of_a_picture_have_one_defect_of_each_diameter(size: tuple[int, int]) -> None:
    picture = torch.from_numpy(draw_surface(3, *size)).permute(2, 0, 1).contiguous()
    before = picture.clone()
    drawn = []
    for marked, defects in defective(picture, "stain", torch.Generator().manual_seed(0)):
        changed = (marked != picture).any(0)
        for defect in defects:
            drawn.append(defect.diameter)
            inside = changed[defect.roi.top :, defect.roi.left :][: defect.roi.height, : defect.roi.width]
            assert inside.any()
            inside.zero_()
        assert not changed.any()  # outside the regions in which defects are looked for
    assert sorted(drawn) == [diameter for diameter in DIAMETERS if diameter <= min(size) / 4]
    assert torch.equal(picture, before)


def test_only_tiles_around_defects_are_computed_in_large_pictures(
    tiny_model: TiledModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Image.fromarray(draw_surface(4, 1024, 1024)).save(tmp_path / "large.png")
    whole, run, tiles = tiny_model.plan(1024, 1024).count, tiny_model.run, []
    monkeypatch.setattr("app.training.assessment.TRIED", 1)

    def counted(batch: torch.Tensor) -> tuple[torch.Tensor, ...]:
        tiles.append(len(batch))
        return run(batch)

    monkeypatch.setattr(tiny_model, "run", counted)
    records = found(tiny_model, [tmp_path / "large.png"])
    assert [record.diameter for record in records] == list(DIAMETERS)
    assert 0 < sum(tiles) < whole / 4
