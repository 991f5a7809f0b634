from pathlib import Path

import pytest
import torch
from scipy import ndimage

from app.artifacts import Artifact, ModelRepository, load_artifact
from app.pipeline import Label, Prediction, interpret, predict
from app.pipeline.prediction import DefectRegion
from scripts.demo.build import LIMIT_BYTES
from scripts.demo.examples import draw_defect, draw_normal
from scripts.demo.surface import Pixels

MODELS = Path(__file__).parents[2] / "models"


@pytest.fixture(scope="module")
def artifact() -> Artifact:
    return load_artifact(ModelRepository(MODELS).find("demo", 1), torch.device("cpu"))


def _predict(artifact: Artifact, picture: Pixels) -> Prediction:
    image = torch.from_numpy(picture).permute(2, 0, 1).contiguous()
    return interpret(predict(artifact.model, image, 4), artifact.manifest.calibration.build())


def _touches(region: DefectRegion, where: tuple[slice, ...]) -> bool:
    rows, columns = where
    beside = region.left >= columns.stop or region.left + region.width <= columns.start
    return not beside and region.top < rows.stop and region.top + region.height > rows.start


def test_the_model_is_tiled_and_small(artifact: Artifact) -> None:
    assert artifact.model.tiling.tile_size == (256, 256)
    assert artifact.model.tiling.stride == (128, 128)
    assert sum(path.stat().st_size for path in (MODELS / "demo" / "1").iterdir()) <= LIMIT_BYTES


def test_the_normal_example_is_normal(artifact: Artifact) -> None:
    prediction = _predict(artifact, draw_normal())

    assert prediction.label is Label.normal
    assert prediction.regions == ()


def test_each_defect_of_the_example_has_a_region_and_each_region_has_a_defect(artifact: Artifact) -> None:
    picture, mask = draw_defect()
    prediction = _predict(artifact, picture)

    labels, count = ndimage.label(ndimage.binary_dilation(mask, iterations=4))
    defects = ndimage.find_objects(labels)
    assert count == 3
    assert prediction.label is Label.anomalous
    assert all(any(_touches(region, defect) for region in prediction.regions) for defect in defects)
    assert all(any(_touches(region, defect) for defect in defects) for region in prediction.regions)
