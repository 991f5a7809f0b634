import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from app.cli import main
from app.data import read_digests
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
    assert f"at its threshold the model {metrics['headline']}" in printed.out.replace("\n", " ")
    assert f"{metrics['recall'][-1]['threshold']:g}" in printed.out
    low, high = metrics["intervals"]["pixel"]["auroc"]
    assert f"{low:.4f} to {high:.4f}" in printed.out
    assert "1 of 2 anomalous pictures have no mask" in printed.err
    assert sorted(path.name for path in (tmp_path / "report").iterdir()) == ["metrics.json", "report.html"]


def test_tilings_are_compared_with_the_network_without_tiles(
    models_dir: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "report"
    assert main(flags(models_dir, data, "--data.num_workers", "0", "--seams", "--output", str(output))) == 0
    record = json.loads((output / "seams.json").read_text())
    assert [picture["width"] for picture in record["pictures"]] == [160] * 4
    printed = capsys.readouterr().out
    for tiling in record["tilings"]:
        assert tiling["name"] in printed
        assert tiling["name"] in (output / "seams.html").read_text()
    assert sorted(path.name for path in output.iterdir()) == ["seams.html", "seams.json"]


def test_the_command_says_how_it_read_the_masks(
    models_dir: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    masks = data / "steel/ground_truth/stain"
    with Image.open(masks / "0_mask.png") as image:
        image.convert("L").save(masks / "0_mask.JPG")
        Image.new("L", image.size).save(masks / "1_mask.png")
    (masks / "0_mask.png").unlink()
    assert main(flags(models_dir, data, "--output", str(tmp_path / "report"))) == 0
    summary = "2 masks, 1 of them lossy, cut at half"
    printed = capsys.readouterr().err
    assert f"note: {summary}" in printed
    assert "1 of 2 masks of anomalous pictures have no pixel of a defect (stain/1.png)" in printed
    record = json.loads((tmp_path / "report/metrics.json").read_text())
    counts = {"files": 2, "lossy": 1, "soft": 0, "resized": 0, "empty": 1, "large": 0, "missing": 0}
    assert record["dataset"]["masks"] == {"summary": summary, **counts}
    assert summary in (tmp_path / "report/report.html").read_text()


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


def test_pictures_that_the_model_was_fitted_to_are_no_part_of_the_figures(
    models_dir: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(models_dir / "patchcore/1", tmp_path / "models/patchcore/1")
    path = data / "steel/test/good/0.png"
    manifest = tmp_path / "models/patchcore/1/manifest.json"
    fitted = {"pictures": 1, "digests": list(read_digests([path]).values())}
    seen = {"fitted": fitted, "calibrated": {"pictures": 0, "digests": []}}
    manifest.write_text(json.dumps(json.loads(manifest.read_text()) | {"seen": seen}))
    output = tmp_path / "report"
    assert main(flags(tmp_path / "models", data, "--output", str(output))) == 0
    assert "1 of 4 pictures are left out" in capsys.readouterr().err
    metrics = json.loads((output / "metrics.json").read_text())
    assert (metrics["dataset"]["listed"], metrics["dataset"]["normal"], metrics["warning"]) == (4, 1, None)
    assert metrics["excluded"] == [{"file": "good/0.png", "kind": "good", "used": "fitted"}]
    assert "Known to the model" in (output / "report.html").read_text()
    assert main(flags(tmp_path / "models", data, "--output", str(output), "--seen_pictures", "keep")) == 0
    metrics = json.loads((output / "metrics.json").read_text())
    assert (metrics["dataset"]["normal"], metrics["dataset"]["seen"], metrics["excluded"]) == (2, 1, [])
    assert "fitted to 1 of these 4 pictures" in metrics["warning"]
