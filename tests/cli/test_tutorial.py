"""The three forms of anomalib's tutorial on tiling: Python, flags and a YAML file."""

from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from PIL import Image
from safetensors.torch import load_file

from app.artifacts import Manifest, ModelRepository, load_artifact, read_manifest
from app.cli import main
from app.data import MVTec
from app.detectors import Detector, Padim, Patchcore, ReverseDistillation, Stfpm
from app.engine import Engine
from app.tiling import PaddingFill, Tiling, TilingMode
from app.training import TilerConfigurationCallback
from tests.conftest import draw_surface

DETECTORS: dict[str, type[Detector]] = {
    "Padim": Padim,
    "Patchcore": Patchcore,
    "Stfpm": Stfpm,
    "ReverseDistillation": ReverseDistillation,
}
GRADIENT = ("Stfpm", "ReverseDistillation")


def flags(surfaces: Path, name: str, *more: str) -> list[str]:
    return [
        "train",
        *("--model", name, "--model.backbone", "resnet18"),
        *("--model.backbone_weights", str(surfaces / "r18.safetensors")),
        *("--data", "MVTec", "--data.root", str(surfaces / "data"), "--data.category", "steel"),
        *("--data.image_size", "[128, 128]", "--data.train_batch_size", "2", "--data.num_workers", "0"),
        *("--trainer.max_epochs", "1", "--assess", "false"),
        *("--name", "steel", "--models_dir", str(surfaces / "models"), *more),
    ]


def configuration(surfaces: Path, name: str, callback: dict[str, object]) -> dict[str, object]:
    """The content of the tutorial's YAML file."""
    weights = {"backbone": "resnet18", "backbone_weights": str(surfaces / "r18.safetensors")}
    data = {"root": str(surfaces / "data"), "category": "steel", "image_size": [128, 128], "train_batch_size": 2}
    return {
        "model": {"class_path": name, "init_args": weights},
        "data": {"class_path": "MVTec", "init_args": {**data, "num_workers": 0}},
        "trainer": {
            "max_epochs": 1,
            "callbacks": [{"class_path": "TilerConfigurationCallback", "init_args": callback}],
        },
        "assess": False,
        "name": "steel",
        "models_dir": str(surfaces / "models"),
    }


def manifest(surfaces: Path, version: int) -> Manifest:
    return read_manifest(surfaces / "models/steel" / str(version))


def trained(surfaces: Path, arguments: list[str]) -> Manifest:
    """Runs a command and returns the manifest of version 1."""
    assert main(arguments) == 0
    return manifest(surfaces, 1)


@pytest.mark.parametrize("name", ["Stfpm", "Patchcore"])  # by gradient descent, and in one pass
def test_python_flags_and_a_file_train_the_same(surfaces: Path, name: str) -> None:
    tiling: dict[str, object] = {"enable": True, "tile_size": [128, 64], "stride": 64}
    torch.manual_seed(0)  # as the command line does before it creates the detector
    detector = DETECTORS[name](backbone="resnet18", backbone_weights=str(surfaces / "r18.safetensors"))
    engine = Engine(
        callbacks=[TilerConfigurationCallback(enable=True, tile_size=[128, 64], stride=64)],
        max_epochs=1,
        models_dir=surfaces / "models",
        name="steel",
    )
    data = MVTec(str(surfaces / "data"), "steel", image_size=(128, 128), train_batch_size=2, num_workers=0)
    entry = engine.fit(datamodule=data, model=detector)
    assert (entry.name, entry.version) == ("steel", 1)

    on_grid = ["--tiling.tile_size", "[128, 64]", "--tiling.stride", "64"]
    on_grid += ["--tiling.mode", "padding", "--tiling.padding_fill", "zeros"]  # as the callback does by default
    callback = ["--trainer.callbacks", "TilerConfigurationCallback", "--trainer.callbacks.enable", "true"]
    callback += ["--trainer.callbacks.tile_size", "[128, 64]", "--trainer.callbacks.stride", "64"]
    assert main(flags(surfaces, name, *callback)) == 0
    assert main(flags(surfaces, name, *on_grid)) == 0
    (surfaces / "train.yaml").write_text(yaml.safe_dump(configuration(surfaces, name, tiling)))
    assert main(["train", "--config", str(surfaces / "train.yaml")]) == 0

    first, *others = (manifest(surfaces, version) for version in (1, 2, 3, 4))
    assert first.tiling.tile_size == (128, 64)
    assert first.tiling.stride == (64, 64)
    weights = load_file(surfaces / "models/steel/1/weights.safetensors")
    for other in others:
        assert other.tiling == first.tiling
        assert other.calibration == first.calibration
        again = load_file(surfaces / "models/steel" / str(other.version) / "weights.safetensors")
        assert all(torch.equal(weights[key], again[key]) for key in weights)


def test_a_file_with_anomalibs_own_names_trains(surfaces: Path) -> None:
    settings = configuration(surfaces, "anomalib.models.Padim", {"tile_size": 64})
    (surfaces / "train.yaml").write_text(
        yaml.safe_dump(settings)
        .replace("class_path: MVTec", "class_path: anomalib.data.MVTecAD")
        .replace("class_path: Tiler", "class_path: anomalib.callbacks.Tiler")
    )
    assert trained(surfaces, ["train", "--config", str(surfaces / "train.yaml")]).tiling.tile_size == (64, 64)


@pytest.mark.parametrize("name", ["Padim", "ReverseDistillation"])
def test_enable_false_trains_untiled(surfaces: Path, name: str) -> None:
    arguments = ["--trainer.callbacks", "TilerConfigurationCallback", "--trainer.callbacks.enable", "false"]
    assert not trained(surfaces, flags(surfaces, name, *arguments)).tiling.enable


@pytest.mark.parametrize("name", ["Patchcore", "Stfpm"])
def test_borders_interpolation_and_single_strides_train_and_predict(surfaces: Path, name: str) -> None:
    """[96, 64] with a stride of 32 is not on the grid of a picture of 128 x 128."""
    more = ["--tiling.tile_size", "[96, 64]", "--tiling.stride", "32"]
    more += ["--tiling.mode", "interpolation", "--tiling.remove_border_count", "8"]
    tiling = trained(surfaces, flags(surfaces, name, *more)).tiling
    assert (tiling.mode, tiling.remove_border_count, tiling.stride) == ("interpolation", 8, (32, 32))
    picture = draw_surface(9)
    Image.fromarray(picture).save(surfaces / "picture.png")
    arguments = ["--name", "steel", "--models_dir", str(surfaces / "models"), "--output", str(surfaces / "out")]
    assert main(["predict", str(surfaces / "picture.png"), *arguments]) == 0
    with Image.open(surfaces / "out/picture.mask.png") as mask:
        assert np.asarray(mask).shape == picture.shape[:2]


def test_a_model_trained_with_tiles_is_loaded_with_its_tiling(surfaces: Path) -> None:
    trained(surfaces, flags(surfaces, "Stfpm", "--tiling.tile_size", "64"))
    artifact = load_artifact(ModelRepository(surfaces / "models").find("steel"))
    assert artifact.model.tiling == Tiling(tile_size=64, mode=TilingMode.cover, padding_fill=PaddingFill.reflect)
    assert artifact.manifest.training is not None
    assert len(artifact.manifest.training.losses) == 1


def test_tiling_that_is_given_twice_is_refused(surfaces: Path, capsys: pytest.CaptureFixture[str]) -> None:
    callback = ["--trainer.callbacks", "TilerConfigurationCallback", "--trainer.callbacks.tile_size", "64"]
    assert main(flags(surfaces, "Padim", *callback, "--tiling.tile_size", "64")) == 1
    error = capsys.readouterr().err
    assert "--tiling" in error and "TilerConfigurationCallback" in error


def test_early_stopping_is_a_callback_beside_the_tiling(surfaces: Path) -> None:
    callbacks = ["--trainer.callbacks+", "TilerConfigurationCallback", "--trainer.callbacks.tile_size", "64"]
    callbacks += ["--trainer.callbacks+", "EarlyStopping", "--trainer.callbacks.patience", "1"]
    callbacks += ["--trainer.callbacks.min_delta", "1000", "--trainer.max_epochs", "9"]
    training = trained(surfaces, flags(surfaces, "Stfpm", *callbacks)).training
    assert training is not None
    assert len(training.losses) == 2
    assert training.best_epoch == 1
