"""`tessera predict --format` writes the files of annotation tools."""

import json
from pathlib import Path

import pytest

from app.cli.commands import main

FILES = ["a.coco.json", "a.geojson", "a.labelme.json"]


@pytest.fixture
def picture(tmp_path: Path, defect_png: bytes) -> Path:
    path = tmp_path / "in" / "a.png"
    path.parent.mkdir()
    path.write_bytes(defect_png)
    return path


def predict(models_dir: Path, output: Path, *arguments: str) -> int:
    flags = ["--name", "patchcore", "--models_dir", str(models_dir), "--output", str(output)]
    return main(["predict", *arguments, *flags])


def test_each_format_is_a_file_beside_the_json(models_dir: Path, picture: Path, tmp_path: Path) -> None:
    output = tmp_path / "out"
    assert predict(models_dir, output, str(picture), "--format", "geojson,coco, labelme") == 0
    body, coco, geojson, labelme = (json.loads((output / name).read_text()) for name in ("a.json", *FILES))
    assert body["regions"]
    assert len(geojson["features"]) == len(coco["annotations"]) == len(body["regions"])
    assert sum(each["area"] for each in coco["annotations"]) == sum(each["area"] for each in body["regions"])
    assert (output / labelme["imagePath"]).samefile(picture)
    assert coco["images"][0]["file_name"] == "a.png"


def test_files_are_written_again_unless_a_tool_has_changed_them(
    models_dir: Path, picture: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "out"
    for _ in range(2):
        assert predict(models_dir, output, str(picture), "--format", "labelme") == 0
    edited = json.loads((output / "a.labelme.json").read_text())
    (output / "a.labelme.json").write_text(json.dumps(edited, indent=2))  # as labelme does
    assert predict(models_dir, output, str(picture), "--format", "labelme") == 1
    assert "a.labelme.json would be overwritten" in capsys.readouterr().err


def test_results_that_would_overwrite_each_other_are_refused(
    models_dir: Path, picture: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = picture.with_name("a.coco.png")
    other.write_bytes(picture.read_bytes())
    assert predict(models_dir, tmp_path / "out", str(picture), str(other), "--format", "coco") == 1
    assert "two of these pictures would have the result" in capsys.readouterr().err


def test_too_many_points_are_an_error_of_that_picture(
    models_dir: Path, picture: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("app.cli.annotations.MOST_FILE_POINTS", 3)
    assert predict(models_dir, tmp_path / "out", str(picture), "--format", "geojson", "--threshold", "0") == 1
    assert "more than 3 points; raise threshold" in capsys.readouterr().err
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["results.csv"]


def test_an_unknown_format_is_named_with_those_there_are(
    models_dir: Path, picture: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert predict(models_dir, tmp_path / "out", str(picture), "--format", "voc") == 1
    assert "format is 'voc'; give one or several of geojson, coco, labelme" in capsys.readouterr().err
