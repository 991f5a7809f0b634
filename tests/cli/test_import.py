import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from app.artifacts import read_manifest
from app.cli import main
from tests.conftest import draw_surface
from tests.importing.files import SIZE, Write, checkpoint_of, exported_of, fitted, saver, tiler_of


@pytest.fixture
def write(tmp_path: Path) -> Write:
    return saver(tmp_path)


@pytest.fixture
def models(tmp_path: Path) -> Path:
    return tmp_path / "models"


def test_a_checkpoint_is_imported_verified_and_predicts(
    write: Write, models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, where = str(write(checkpoint_of(fitted("padim")))), ["--models_dir", str(models)]
    tiling = ["--tiling.tile_size", "[64, 32]", "--tiling.stride", "32"]
    assert main(["import", path, "--name", "surface", *tiling, *where]) == 0
    printed = capsys.readouterr().err
    assert "anomalib 2.x checkpoint: padim, backbone resnet18, layers layer1 + layer2, n_features 5" in printed
    assert "64 x 32 tiles, 32 x 32 apart, padding, as given" in printed
    assert "note:" not in printed
    assert "wrote version 1 of surface" in printed
    assert read_manifest(models / "surface/1").tiling.tile_size == (64, 32)
    assert main(["models", "verify", *where]) == 0
    assert "imported from anomalib 2.x checkpoint" in capsys.readouterr().out.replace("\n", " ")
    Image.fromarray(draw_surface(1, 200, 150)).save(tmp_path / "picture.png")
    output = tmp_path / "output"
    assert main(["predict", str(tmp_path / "picture.png"), "--name", "surface", "--output", str(output), *where]) == 0
    body = json.loads((output / "picture.json").read_text())
    assert body["image"] == {"width": 150, "height": 200}
    assert body["threshold"] == 0.5 and np.isfinite(body["raw_score"])


def test_a_checkpoint_is_imported_only_with_its_tiling(
    write: Write, models: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["import", str(write(checkpoint_of(fitted("patchcore")))), "--name", "surface"]
    arguments += ["--models_dir", str(models)]
    assert main(arguments) == 1
    assert "Give --tiling.enable false for a model that was trained without" in capsys.readouterr().err
    assert not (models / "surface/1").exists()
    assert main([*arguments, "--tiling.enable", "false"]) == 0
    assert not read_manifest(models / "surface/1").tiling.enable


def test_the_tiling_of_an_exported_model_is_used_unless_another_is_given(
    write: Write, models: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with monkeypatch.context() as classes:
        path = str(write(exported_of(fitted("patchcore"), classes, tiler_of(classes))))
    arguments = ["import", path, "--name", "surface", "--models_dir", str(models)]
    assert main(arguments) == 0
    assert "tiling: 32 x 32 tiles, 32 x 32 apart, padding\n" in capsys.readouterr().err
    assert main([*arguments, "--tiling.enable", "false"]) == 0
    assert "note: tiling: the file records another one (tiles [32, 32]" in capsys.readouterr().err
    assert [read_manifest(models / "surface" / version).tiling.enable for version in "12"] == [True, False]


def test_options_come_before_the_file(write: Write, models: Path) -> None:
    path = str(write(checkpoint_of(fitted("patchcore"))))
    options = ["--antialias", "false", "--image_size", "[128, 64]", "--image_threshold", "2.5"]
    options += ["--tiling.enable", "false", "--normalisation", "none"]
    assert main(["import", path, "--name", "surface", "--models_dir", str(models), *options]) == 0
    manifest = read_manifest(models / "surface/1")
    assert manifest.preprocessing.image_size == (128, 64) != SIZE
    assert not manifest.preprocessing.antialias
    assert manifest.preprocessing.std == (1.0, 1.0, 1.0)
    assert manifest.calibration.image_threshold == 2.5


def test_a_file_that_cannot_be_imported_ends_the_command_with_one_line(
    models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "model.onnx").write_bytes(b"\x08\x07")
    for name, message in (("model.onnx", "is no torch file"), ("nowhere.ckpt", "No such file")):
        assert main(["import", str(tmp_path / name), "--name", "surface", "--models_dir", str(models)]) == 1
        error = capsys.readouterr().err
        assert message in error
        assert len(error.strip().splitlines()) == 1
    assert not (models / "surface").exists()
