import json
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from app.cli import main
from tests.conftest import draw_surface


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """The layout of MVTec: two good pictures and two with a stain, one of which has a mask."""
    root = tmp_path / "data"
    for number in range(2):
        stained = draw_surface(60 + number)
        stained[40:56, 100:124] = (255, 0, 0)
        for name, picture in {f"good/{number}.png": draw_surface(50 + number), f"stain/{number}.png": stained}.items():
            path = root / "steel/test" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(picture).save(path)
    mask = np.zeros((96, 160), np.uint8)
    mask[40:56, 100:124] = 255
    (root / "steel/ground_truth/stain").mkdir(parents=True)
    Image.fromarray(mask).save(root / "steel/ground_truth/stain/0_mask.png")
    return root


def flags(models_dir: Path, data: Path, *more: str) -> list[str]:
    return [
        *("evaluate", "--name", "patchcore", "--models_dir", str(models_dir)),
        *("--data", "MVTec", "--data.root", str(data), "--data.category", "steel", *more),
    ]


def test_metrics_are_written_into_a_file_and_a_page(
    models_dir: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(flags(models_dir, data, "--version", "1", "--output", str(tmp_path / "report"))) == 0
    printed = capsys.readouterr()
    metrics = json.loads((tmp_path / "report/metrics.json").read_text())
    assert metrics["image_auroc"] == 1.0
    assert metrics["pixel_auroc"] > 0.9
    assert metrics["model"]["version"] == 1
    assert metrics["dataset"]["description"] == "MVTec layout, category steel"
    assert "patchcore 1 on 2 normal and 2 anomalous pictures" in printed.out
    assert f"{metrics['pixel_auroc']:.4f}" in printed.out
    assert "1 of 2 anomalous pictures have no mask" in printed.err
    assert sorted(path.name for path in (tmp_path / "report").iterdir()) == ["metrics.json", "report.html"]


def test_a_yaml_file_may_replace_the_flags(models_dir: Path, data: Path, tmp_path: Path) -> None:
    settings = {
        "name": "patchcore",
        "models_dir": str(models_dir),
        "data": {"class_path": "MVTec", "init_args": {"root": str(data), "category": "steel"}},
        "output": str(tmp_path / "report"),
    }
    (tmp_path / "evaluate.yaml").write_text(yaml.safe_dump(settings))
    assert main(["evaluate", "--config", str(tmp_path / "evaluate.yaml")]) == 0
    assert json.loads((tmp_path / "report/metrics.json").read_text())["model"]["version"] == 2


def test_broken_pictures_stop_the_command_or_are_left_out(
    models_dir: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (data / "steel/test/good/broken.png").write_bytes(b"no picture")
    output = tmp_path / "report"
    assert main(flags(models_dir, data, "--output", str(output))) == 1
    assert "cannot be read: " in capsys.readouterr().err
    assert list(output.iterdir()) == []
    assert main(flags(models_dir, data, "--output", str(output), "--data.on_unreadable", "skip")) == 0
    assert "left out: " in capsys.readouterr().err
    assert json.loads((output / "metrics.json").read_text())["unreadable"][0]["file"] == "good/broken.png"


def test_an_image_size_that_is_not_used_is_reported(
    models_dir: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(flags(models_dir, data, "--data.image_size", "64", "--output", str(tmp_path / "report"))) == 0
    assert "data.image_size is not used; the model takes pictures as they are" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--data.category", "wood"], "category wood has no pictures"),
        (["--version", "9"], "has no version 9"),
        (["--name", "nobody"], "there is no model 'nobody'"),
    ],
)
def test_an_error_ends_the_command_with_one_line(
    models_dir: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], more: list[str], message: str
) -> None:
    output = tmp_path / "report"
    assert main(flags(models_dir, data, "--output", str(output), *more)) == 1
    error = capsys.readouterr().err
    assert message in error
    assert len(error.strip().splitlines()) == 1
    assert not output.exists()


def test_an_output_that_is_a_file_is_refused(models_dir: Path, data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = data / "steel/test/good/0.png"
    assert main(flags(models_dir, data, "--output", str(output))) == 1
    assert "0.png" in capsys.readouterr().err
