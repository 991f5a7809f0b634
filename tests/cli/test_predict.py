import csv
import json
from pathlib import Path

import pytest
from PIL import Image

from app.cli.commands import main
from app.data import is_result
from tests.conftest import draw_surface

NAMES = ["a.json", "a.mask.png", "a.overlay.png"]


def predict(models_dir: Path, output: Path, *pictures: Path) -> int:
    flags = ["--name", "patchcore", "--models_dir", str(models_dir), "--output", str(output)]
    return main(["predict", *map(str, pictures), *flags])


def pictures(folder: Path) -> Path:
    folder.mkdir()
    Image.fromarray(draw_surface(0)).save(folder / "a.png")
    return folder


def predicted(output: Path) -> list[str]:
    with (output / "results.csv").open(encoding="utf-8", newline="") as file:
        return [Path(row["path"]).name for row in csv.DictReader(file)]


@pytest.mark.parametrize("linked", [False, True])
def test_results_are_not_written_among_the_pictures_of_a_folder(
    models_dir: Path, tmp_path: Path, linked: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, output = pictures(tmp_path / "in"), tmp_path / ("link" if linked else "in")
    if linked:
        output.symlink_to(folder)
    assert predict(models_dir, output, folder) == 1
    assert "give another one, such as " in capsys.readouterr().err
    assert [path.name for path in folder.iterdir()] == ["a.png"]


def test_results_below_or_beside_the_pictures_are_not_predicted(
    models_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = pictures(tmp_path / "in")
    below = folder / "results"
    for _ in range(2):
        assert predict(models_dir, below, folder) == 0
        assert predict(models_dir, folder, *folder.glob("*.png")) == 0
    assert "left out: 2 results of tessera predict" in capsys.readouterr().err
    assert sorted(path.name for path in below.iterdir()) == [*NAMES, "results.csv"]
    assert sorted(path.name for path in folder.iterdir()) == [*NAMES, "a.png", "results", "results.csv"]
    assert predicted(below) == predicted(folder) == ["a.png"]
    assert all(is_result(path) for path in below.glob("*.png"))


@pytest.mark.parametrize("name", [*NAMES, "results.csv"])
def test_a_file_of_the_user_is_never_overwritten(
    models_dir: Path, tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = pictures(tmp_path / "in")
    own = folder / name
    own.write_bytes(b'{"shapes": []}')
    assert predict(models_dir, folder, folder / "a.png") == 1
    assert f"{own} would be overwritten" in capsys.readouterr().err
    assert own.read_bytes() == b'{"shapes": []}'
    assert sorted(path.name for path in folder.iterdir()) == sorted(["a.png", name])


def test_a_picture_with_the_name_of_a_result_is_predicted(models_dir: Path, tmp_path: Path) -> None:
    folder = pictures(tmp_path / "in")
    Image.fromarray(draw_surface(1)).save(folder / "b.mask.png")
    assert predict(models_dir, tmp_path / "out", folder) == 0
    assert predicted(tmp_path / "out") == ["a.png", "b.mask.png"]


def test_evidence_is_written_with_the_prediction(explained_dir: Path, tmp_path: Path, defect_png: bytes) -> None:
    (tmp_path / "defect.png").write_bytes(defect_png)
    flags = ["--name", "explained", "--models_dir", str(explained_dir), "--output", str(tmp_path / "out")]
    assert main(["predict", str(tmp_path / "defect.png"), *flags]) == 0
    body = json.loads((tmp_path / "out" / "defect.json").read_text())
    assert not any("evidence" in region for region in body["regions"])
    assert main(["predict", str(tmp_path / "defect.png"), *flags, "--evidence"]) == 0
    body = json.loads((tmp_path / "out" / "defect.json").read_text())
    found = body["regions"][0]["evidence"]
    assert found["ratio"] > 1 and len(found["nearest"]) == 3
    assert {each["picture"].split("/")[0] for each in found["nearest"]} <= {"left", "right"}
