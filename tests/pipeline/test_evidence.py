"""Evidence for regions: the patch at a peak, and the nearest normal patches."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from app.artifacts import Artifact, ModelRepository, load_artifact
from app.pipeline import (
    DefectRegion,
    Grid,
    Prediction,
    Question,
    Roi,
    interpret,
    nearest,
    patches_of,
    predict,
    prepare_part,
)
from app.pipeline import evidence as module
from app.pipeline.assembly import completed
from app.tiling import Tiling, TilingMode
from tests.conftest import draw_surface


@pytest.fixture(scope="module")
def artifact(explained_dir: Path) -> Artifact:
    return load_artifact(ModelRepository(explained_dir).find("explained"))


def surface(seed: int) -> Tensor:
    return torch.from_numpy(draw_surface(seed)).permute(2, 0, 1).contiguous()


def predicted(artifact: Artifact, image: Tensor, roi: Roi | None = None) -> Prediction:
    outcome = predict(artifact.model, image, roi=roi)
    return interpret(outcome, artifact.calibration, Question(roi=roi))


def with_stain() -> Tensor:
    image = surface(1000)
    image[:, 40:56, 100:124] = torch.tensor([255, 0, 0], dtype=torch.uint8)[:, None, None]
    return image


def test_the_nearest_patches_are_those_of_an_exhaustive_search(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "COMPARED_AT_ONCE", 7)
    generator = torch.Generator().manual_seed(0)
    patches, patch = torch.randn(100, 12, generator=generator), torch.randn(1, 12, generator=generator)
    patches[93] = patches[5]  # of equal distances, the smaller number comes first
    found = completed(nearest(patch, patches, 100))
    distances = (patches.double() - patch.double()).square().sum(1).sqrt()
    assert [each.number for each in found] == distances.sort(stable=True).indices.tolist()
    assert [each.distance for each in found] == pytest.approx(distances.sort().values.tolist(), rel=1e-5)
    assert completed(nearest(patch, patches)) == found[:3]


@pytest.mark.parametrize(("seed", "name"), [(2, "right/2.png"), (3, "left/3.png")])
def test_a_patch_of_a_training_picture_is_found_in_it(artifact: Artifact, seed: int, name: str) -> None:
    image, peaks = surface(seed), [(0, 0), (50, 77), (95, 159), (31, 100)]
    regions = tuple(DefectRegion(0, 0, 96, 160, 9, 0.9, peak) for peak in peaks)
    prediction = replace(predicted(artifact, image), regions=regions)
    found = artifact.evidence_for((96, 160)).compute(image, prediction)
    assert len(found) == len(peaks)
    for each, peak in zip(found, peaks, strict=True):
        best = each.nearest[0]
        assert (best.name, best.size, best.copied) == (name, (96, 160), True)
        for row, column in (best.place, peak):
            assert row in each.patch.rows and column in each.patch.columns
        assert best.distance < 1e-3 * each.nearest[1].distance


def test_the_ratio_is_that_of_the_peak_to_normal_pictures(artifact: Artifact) -> None:
    image = with_stain()
    prediction = predicted(artifact, image)
    found = artifact.evidence_for((96, 160)).compute(image, prediction)
    assert len(found) == min(8, len(prediction.regions)) and prediction.regions
    level = artifact.manifest.calibration.normal_level
    assert level is not None
    for each, region in zip(found, prediction.regions, strict=False):
        assert each.ratio == pytest.approx(float(prediction.anomaly_map[region.peak]) / level)
    assert found[0].ratio is not None and found[0].ratio > 1
    distances = [each.distance for each in found[0].nearest]
    assert len(distances) == 3 and distances == sorted(distances) and distances[0] > 0


def test_a_region_of_interest_has_the_evidence_of_the_picture(artifact: Artifact) -> None:
    image, roi = with_stain(), Roi(32, 90, 40, 50)
    finder = artifact.evidence_for((96, 160))
    whole = finder.compute(image, predicted(artifact, image))
    part = finder.compute(image, predicted(artifact, image, roi), roi)
    assert part[0].patch == whole[0].patch
    assert part[0].nearest == whole[0].nearest
    assert part[0].ratio == pytest.approx(whole[0].ratio)


@pytest.mark.parametrize(
    ("tiling", "size"),
    [
        (Tiling(tile_size=64, stride=32, mode=TilingMode.cover), (96, 150)),
        (Tiling(tile_size=64, stride=64, halo=32, mode=TilingMode.within), (130, 200)),
        (Tiling(tile_size=64, stride=48, mode=TilingMode.interpolation), (100, 150)),
        (Tiling(enable=False), (96, 130)),
    ],
)
def test_the_tiles_of_a_cell_give_its_patch_in_the_whole_picture(
    artifact: Artifact, tiling: Tiling, size: tuple[int, int]
) -> None:
    own = artifact.model
    model = type(own)(own.detector, own.preprocessing, tiling)
    image = torch.from_numpy(draw_surface(5, *size)).permute(2, 0, 1).contiguous()
    grid = Grid.of(model, size)
    prepared = model.prepare(image)
    rows, columns = grid.cells
    cells = [(0, 0), (rows // 2, columns // 3), (rows - 1, columns - 1), (rows // 3, columns // 2)]
    whole = patches_of(model, prepared, model.outputs(prepared), torch.tensor(cells))
    for cell, expected in zip(cells, whole, strict=True):
        plan = grid.tiles(cell)
        assert plan.count <= grid.most_tiles
        part = prepare_part(model, image, plan)
        patch = patches_of(model, part, model.outputs(part), torch.tensor([cell]))
        torch.testing.assert_close(patch[0], expected, rtol=1e-4, atol=1e-4)
        box = grid.box(cell)
        box.require_within(*size)
        centre = tuple(grid.centres(torch.tensor([cell]))[0].tolist())
        assert grid.cell(centre) == cell and centre[0] in box.rows and centre[1] in box.columns
