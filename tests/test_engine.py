from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from app.artifacts import ModelRepository, load_artifact
from app.data import MVTec
from app.detectors import Patchcore, Stfpm
from app.engine import Engine
from app.errors import InvalidDataset, InvalidTraining
from app.pipeline import Label
from app.training import EarlyStopping, TilerConfigurationCallback
from app.training.selection import Auto
from tests.conftest import draw_surface


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A data set in MVTec AD's layout: normal surfaces, some with stains, and their masks."""
    for number in range(10):
        kind, part = ("good", "train" if number < 6 else "test")
        save(tmp_path / "steel" / part / kind / f"{number}.png", draw_surface(number))
    for number in range(4):
        picture, mask = draw_surface(20 + number), np.zeros((96, 160), np.uint8)
        place = np.s_[20 + 10 * number : 36 + 10 * number, 100:124]
        picture[place], mask[place] = (255, 0, 0), 255
        save(tmp_path / "steel/test/stain" / f"{number}.png", picture)
        save(tmp_path / "steel/ground_truth/stain" / f"{number}_mask.png", mask)
    return tmp_path


def save(path: Path, pixels: np.typing.NDArray[np.uint8]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def patchcore() -> Patchcore:
    torch.manual_seed(0)
    return Patchcore("resnet18", ("layer1", "layer2"), pre_trained=False, coreset_sampling_ratio=0.02)


def test_a_fitted_model_can_be_tested_used_and_loaded(root: Path, tmp_path: Path) -> None:
    data, model = MVTec(str(root), "steel", num_workers=0), patchcore()
    engine = Engine(
        image_metrics=["AUROC", "F1Max"],
        pixel_metrics=["AUROC", "AUPRO"],
        callbacks=[TilerConfigurationCallback(tile_size=64, stride=32)],
        models_dir=tmp_path / "models",
    )
    entry = engine.fit(datamodule=data, model=model)
    assert (entry.name, entry.version) == ("patchcore", 1)
    metrics = engine.test(datamodule=data, model=model)
    assert set(metrics) == {"image_AUROC", "image_F1Max", "pixel_AUROC", "pixel_AUPRO"}
    assert metrics["image_AUROC"] == 1
    assert metrics["pixel_AUROC"] > 0.9
    (stained,) = engine.predict(root / "steel/test/stain/0.png")
    assert stained.label is Label.anomalous
    assert len(engine.predict([root / "steel/test/stain", root / "steel/test/good"])) == 8
    artifact = load_artifact(ModelRepository(tmp_path / "models").find("patchcore"))
    assert artifact.manifest.tiling.stride == (32, 32)
    again = Engine(models_dir=tmp_path / "models", name="patchcore", image_metrics=["AUROC"], pixel_metrics=[])
    assert again.test(data) == {"image_AUROC": 1}


def test_auto_chooses_a_detector_from_python_as_well(root: Path, tmp_path: Path) -> None:
    data, model = MVTec(str(root), "steel", num_workers=0), Auto(["Subspace top", "Subspace map"])
    engine = Engine(["AUROC"], [], [TilerConfigurationCallback(tile_size=64)], models_dir=tmp_path / "models")
    entry = engine.fit(model=model, datamodule=data)
    assert entry.name == "subspace"
    assert set(engine.test(data, model)) == {"image_AUROC"}
    quality = load_artifact(entry).manifest.quality
    assert quality is not None
    assert [record.name for record in quality.candidates] == ["Subspace top", "Subspace map"]
    with pytest.raises(InvalidTraining, match="not fitted by this engine"):
        engine.test(data, patchcore())


def test_training_stops_early_by_the_pixel_auroc_of_validation_pictures(root: Path, tmp_path: Path) -> None:
    data = MVTec(str(root), "steel", num_workers=0, train_batch_size=2, val_split_mode="from_test")
    torch.manual_seed(0)
    stopping = EarlyStopping("pixel_AUROC", patience=1, min_delta=1.0, mode="max")
    engine = Engine(callbacks=[stopping], max_epochs=5, models_dir=tmp_path / "models")
    engine.fit(Stfpm("resnet18", ("layer1",), pre_trained=False), data)
    training = load_artifact(ModelRepository(tmp_path / "models").find("stfpm")).manifest.training
    assert training is not None
    assert len(training.losses) == 2  # no AUROC can be better by 1
    assert training.best_epoch == 1
    assert set(training.validations[1]) == {"val_loss", "image_AUROC", "pixel_AUROC"}


def test_early_stopping_by_a_metric_that_cannot_be_measured_is_refused(root: Path, tmp_path: Path) -> None:
    engine = Engine(callbacks=[EarlyStopping("image_AUROC")], models_dir=tmp_path / "models")
    with pytest.raises(InvalidTraining, match="val_split_mode"):
        engine.fit(Stfpm("resnet18", pre_trained=False), MVTec(str(root), "steel", num_workers=0))
    for mask in (root / "steel/ground_truth/stain").iterdir():
        mask.unlink()
    data = MVTec(str(root), "steel", num_workers=0, val_split_mode="from_test")
    engine = Engine(callbacks=[EarlyStopping("pixel_AUROC")], models_dir=tmp_path / "models")
    with pytest.raises(InvalidTraining, match="masks"):
        engine.fit(Stfpm("resnet18", pre_trained=False), data)


def test_predicting_before_fitting_and_unknown_metrics_are_refused(root: Path, tmp_path: Path) -> None:
    with pytest.raises(InvalidTraining, match="fit"):
        Engine(models_dir=tmp_path).predict(root)
    with pytest.raises(InvalidTraining, match="F2"):
        Engine(image_metrics=["F2"])


def test_another_detector_or_a_data_set_without_test_pictures_is_refused(root: Path, tmp_path: Path) -> None:
    data = MVTec(str(root), "steel", num_workers=0)
    engine = Engine(models_dir=tmp_path / "models")
    engine.fit(patchcore(), data)
    with pytest.raises(InvalidTraining, match="this engine"):
        engine.test(data, patchcore())
    for path in (root / "steel/test").glob("*/*"):
        path.unlink()
    with pytest.raises(InvalidDataset, match="test on"):
        engine.test(data)
