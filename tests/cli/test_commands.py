import csv
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from app.artifacts import ModelRepository, read_manifest, read_with_digest
from app.cli import main
from app.cli.commands import COMMANDS
from tests.conftest import draw_surface


def flags(root: Path, *more: str) -> list[str]:
    return [
        "train",
        *("--model", "Patchcore", "--model.backbone", "resnet18", "--model.coreset_sampling_ratio", "0.1"),
        *("--model.backbone_weights", str(root / "r18.safetensors")),
        *("--data", "MVTec", "--data.root", str(root / "data"), "--data.category", "steel"),
        *("--data.num_workers", "0"),
        *("--tiling.tile_size", "[64, 32]", "--tiling.stride", "32"),
        *("--name", "steel", "--models_dir", str(root / "models"), "--assess", "false", *more),
    ]


def padim(*more: str) -> list[str]:
    return ["train", "--model", "Padim", "--data", "Folder", "--data.root", "nowhere", "--name", "x", *more]


def test_flags_and_a_yaml_file_train_the_same(surfaces: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(flags(surfaces, "--data.image_size", "[96, 160]")) == 0
    assert "wrote version 1 of steel" in capsys.readouterr().err
    settings = {
        "model": {
            "class_path": "Patchcore",
            "init_args": {
                "backbone": "resnet18",
                "coreset_sampling_ratio": 0.1,
                "backbone_weights": str(surfaces / "r18.safetensors"),
            },
        },
        "data": {
            "class_path": "MVTec",
            "init_args": {
                "root": str(surfaces / "data"),
                "category": "steel",
                "image_size": [96, 160],
                "num_workers": 0,
            },
        },
        "tiling": {"tile_size": [64, 32], "stride": 32},
        "assess": False,
        "name": "steel",
        "models_dir": str(surfaces / "models"),
    }
    (surfaces / "train.yaml").write_text(yaml.safe_dump(settings))
    assert main(["train", "--config", str(surfaces / "train.yaml")]) == 0
    first, second = (read_manifest(surfaces / "models/steel" / version) for version in ("1", "2"))
    assert first.files == second.files
    assert first.tiling.tile_size == (64, 32)
    assert first.preprocessing.image_size == (96, 160)


def test_pictures_and_folders_are_predicted_into_files(surfaces: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(flags(surfaces)) == 0
    pictures = surfaces / "pictures"
    (pictures / "deep").mkdir(parents=True)
    defect = draw_surface(8)
    defect[40:56, 100:124] = (255, 0, 0)
    Image.fromarray(defect).save(pictures / "deep/defect.png")
    Image.fromarray(draw_surface(9)).save(surfaces / "single.png")
    (pictures / "broken.jpg").write_bytes(b"no picture")
    output = surfaces / "output"
    arguments = ["--name", "steel", "--models_dir", str(surfaces / "models"), "--output", str(output)]
    assert main(["predict", str(pictures), str(surfaces / "single.png"), *arguments]) == 1
    printed = capsys.readouterr().err
    assert "broken.jpg" in printed and "3 pictures: " in printed and " 1 unreadable" in printed
    with (output / "results.csv").open(newline="") as file:
        rows = {Path(row["path"]).name: row for row in csv.DictReader(file)}
    assert {name: rows[name]["label"] for name in ("broken.jpg", "defect.png")} == {
        "broken.jpg": "unreadable",
        "defect.png": "anomalous",
    }
    assert rows["single.png"]["label"] == json.loads((output / "single.json").read_text())["label"]
    body = json.loads((output / "deep/defect.json").read_text())
    assert body["label"] == "anomalous"
    assert body["image"] == {"width": 160, "height": 96}
    assert (body["model"]["name"], body["model"]["version"], body["model"]["detector"]) == ("steel", 1, "patchcore")
    mask = np.asarray(Image.open(output / "deep/defect.mask.png"))
    assert mask.shape == (96, 160)
    assert mask[48, 112] == 255
    with Image.open(output / "single.overlay.png") as overlay:
        assert overlay.size == (160, 96)
    assert not (output / "broken.json").exists()


def test_a_region_of_pictures_is_predicted(surfaces: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(flags(surfaces)) == 0
    defect = draw_surface(8)
    defect[40:56, 100:124] = (255, 0, 0)
    Image.fromarray(defect).save(surfaces / "defect.png")
    output = surfaces / "output"
    arguments = ["--name", "steel", "--models_dir", str(surfaces / "models"), "--output", str(output)]
    assert main(["predict", str(surfaces / "defect.png"), *arguments, "--roi", "90,30,60,50"]) == 0
    body = json.loads((output / "defect.json").read_text())
    assert body["label"] == "anomalous" and body["roi"] == {"x": 90, "y": 30, "width": 60, "height": 50}
    assert np.asarray(Image.open(output / "defect.mask.png")).shape == (50, 60)
    capsys.readouterr()
    for roi, message in (("1,2,3", "'1,2,3'"), ("90,30,90,50", "reaches out of the picture")):
        assert main(["predict", str(surfaces / "defect.png"), *arguments, "--roi", roi]) == 1
        assert message in capsys.readouterr().err


def test_a_threshold_and_a_smallest_area_apply_to_predicted_files(
    surfaces: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(flags(surfaces)) == 0
    defect = draw_surface(8)
    defect[40:56, 100:124] = (255, 0, 0)
    Image.fromarray(defect).save(surfaces / "defect.png")
    output = surfaces / "output"
    predict = ["predict", str(surfaces / "defect.png"), "--name", "steel", "--models_dir", str(surfaces / "models")]
    predict += ["--output", str(output)]
    assert main([*predict, "--threshold", "1"]) == 0
    body = json.loads((output / "defect.json").read_text())
    assert (body["label"], body["threshold"], body["regions"]) == ("normal", 1.0, [])
    assert main([*predict, "--min_region_area", str(96 * 160)]) == 0
    body = json.loads((output / "defect.json").read_text())
    assert (body["label"], body["regions"]) == ("anomalous", [])
    capsys.readouterr()
    for option, value in (("threshold", "1.5"), ("min_region_area", "0")):
        assert main([*predict, f"--{option}", value]) == 1
        assert f"{option} is {value}" in capsys.readouterr().err


def test_models_are_listed_and_verified(
    surfaces: Path, models_dir: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    assert main(["models", "list", "--models_dir", str(models_dir)]) == 0
    listed = capsys.readouterr().out
    assert "patchcore" in listed and listed.count("not verified") == 3
    assert "1 of 7" in listed and "12 px" in listed
    assert read_with_digest(ModelRepository(models_dir).find("padim").path)[1][:12] in listed
    assert main(["models", "verify", "--models_dir", str(models_dir)]) == 0
    assert capsys.readouterr().out.count("verified") == 3
    (surfaces / "models/broken/1").mkdir(parents=True)
    assert main(["models", "verify", "--models_dir", str(surfaces / "models")]) == 1
    assert "missing_file" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["predict", "x.png", "--name", "steel", "--output", "o", "--models_dir", "nowhere"],
            "error: nowhere is not a directory; name the folder of the models by --models_dir or TESSERA_MODELS_DIR",
        ),
        (
            ["train", "--model", "Padim", "--data", "Folder", "--data.root", "nowhere", "--name", "x"],
            "no folder nowhere",
        ),
        (["models", "list", "--device", "tpu"], "auto, cpu, cuda"),
        (padim("--model.backbone", "resnet50"), "n_features"),
        (padim("--data.image_size", "[320]"), "[height, width]"),
        (padim("--calibration.share", "2"), "calibration.share is 2"),
        (padim("--name", "Big"), "'Big' cannot name a model"),
    ],
)
def test_an_error_ends_a_command_with_one_line(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 1
    error = capsys.readouterr().err
    assert message in error
    assert len(error.strip().splitlines()) == 1


@pytest.mark.parametrize(
    ("flag", "value", "message"),
    [
        ("cors_origins", "line3.example", "https://line3.example"),
        ("root_path", "tessera", "/tessera"),
        ("root_path", "/v1", "paths of its own"),
        ("port", "99999", "less than or equal to 65535"),
    ],
)
def test_an_invalid_setting_is_reported_in_one_line(
    capsys: pytest.CaptureFixture[str], flag: str, value: str, message: str
) -> None:
    assert main(["serve", f"--{flag}", value]) == 1
    error = capsys.readouterr().err
    assert error.startswith(f"error: {flag}: ") and error.count("\n") == 1
    assert message in error and f"it is {value}" in error.replace("'", "")


def test_an_invalid_environment_variable_is_reported_in_one_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TESSERA_QUEUE_TILES", "0")
    assert main(["serve"]) == 1
    assert "error: queue_tiles: " in capsys.readouterr().err


def test_settings_of_the_server_are_flags(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["serve", "--models_dir", "nowhere", "--port", "0"])
    assert "nowhere is not a directory" in str(stopped.value)


def test_help_is_printed_without_importing_torch() -> None:
    program = "import sys; from app.__main__ import main; sys.argv[1:] = ['--help']\n"
    program += "assert main() == 0\nassert not {'torch', 'fastapi'} & set(sys.modules)\n"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert all(f"  {name} " in done.stdout for name in COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_a_help_text(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([name, "--help"]) == 0
    text = capsys.readouterr().out
    assert f"usage: tessera {name}" in text
    assert all(example in text for example in COMMANDS[name].examples)
    for leak in ("<class", "Raises", "Namespace", "app.", "null", "None", "Union["):
        assert leak not in text, leak
