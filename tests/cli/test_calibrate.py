import json
import shutil
from pathlib import Path

import pytest
from PIL import Image

from app.artifacts import ModelRepository, load_artifact, read_manifest
from app.cli import main
from app.data import read_digests
from app.settings import Settings
from tests.conftest import draw_surface
from tests.running import running
from tests.waiting import wait_until


@pytest.fixture
def models(models_dir: Path, tmp_path: Path) -> Path:
    """A repository with version 1 of `patchcore`."""
    shutil.copytree(models_dir / "patchcore/1", tmp_path / "models/patchcore/1")
    return tmp_path / "models"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Six good pictures, and two with a stain."""
    for number in range(8):
        picture = draw_surface(30 + number)
        if number >= 6:
            picture[40:56, 100:124] = (255, 0, 0)
        path = tmp_path / f"data/{'good' if number < 6 else 'bad'}/{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture).save(path)
    return tmp_path / "data"


def calibrate(models: Path, *more: str) -> int:
    return main(["calibrate", "--name", "patchcore", "--models_dir", str(models), *more])


def folder(root: Path, *more: str) -> list[str]:
    return ["--data", "Folder", "--data.root", str(root), "--data.num_workers", "0", *more]


def test_good_pictures_set_new_thresholds(models: Path, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert calibrate(models, *folder(root / "good"), "--false_positive_rate", "0.2") == 0
    printed = capsys.readouterr()
    assert "wrote version 2 of patchcore" in printed.err and "next: tessera evaluate" in printed.err
    first, second = (read_manifest(models / "patchcore" / version) for version in ("1", "2"))
    calibration = second.calibration
    assert (calibration.protocol, calibration.pictures, calibration.false_positive_rate) == ("held-out-normal", 6, 0.2)
    for manifest in (first, second):
        assert f"{manifest.calibration.image_threshold:.6g}" in printed.out
    assert second.provenance.calibrated_from == 1
    assert second.quality is not None and second.quality.false_alarms is not None
    assert f"{second.quality.false_alarms.exceeded} of 6" in printed.out
    assert second.seen is not None and second.seen.calibrated.pictures == 6


def test_pictures_that_are_alike_are_named(models: Path, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for number in range(1, 6):
        shutil.copy(root / "good/0.png", root / f"good/{number}.png")
    assert calibrate(models, *folder(root / "good")) == 0
    said = (
        "note: the pictures do not differ: 5 of 6 differ from another by less than one grey value, such as 1.png from"
    )
    assert said in capsys.readouterr().err
    quality = read_manifest(models / "patchcore/2").quality
    assert quality is not None and quality.alike is not None and quality.alike.alike == 5


def test_labelled_pictures_set_a_recall(models: Path, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = folder(root, "--data.normal_dir", "good", "--data.abnormal_dir", "bad")
    assert calibrate(models, *data, "--recall", "1") == 0
    printed = capsys.readouterr()
    assert "2 of 2: 100.0% (15.8% to 100.0%)" in printed.out
    assert "tessera evaluate` leaves them out" in printed.err
    record = read_manifest(models / "patchcore/2").calibration
    assert (record.protocol, record.pictures, record.anomalous_pictures) == ("labelled", 3, 2)
    evaluate = ["evaluate", "--name", "patchcore", "--models_dir", str(models), *data]
    assert main([*evaluate, "--output", str(root / "report")]) == 1
    assert "calibrated on all of the 3 pictures" in capsys.readouterr().err
    assert main([*evaluate, "--output", str(root / "report"), "--seen_pictures", "keep"]) == 0
    metrics = json.loads((root / "report/metrics.json").read_text())
    assert "calibrated on 3 of these 3 pictures" in metrics["warning"]
    assert metrics["image"]["at_threshold"]["recall"] == 1.0


def test_a_value_labels_as_the_same_threshold_of_a_request(models: Path, root: Path) -> None:
    predict = ["predict", str(root), "--name", "patchcore", "--models_dir", str(models), "--output"]
    assert main([*predict, str(root / "old"), "--threshold", "0.45"]) == 0
    assert calibrate(models, "--image_threshold", "0.45", "--pixel_threshold", "0.45") == 0
    assert main([*predict, str(root / "new"), "--min_region_area", "1"]) == 0
    names = [path.relative_to(root / "old") for path in (root / "old").rglob("*.json")]
    assert len(names) == 8
    for name in names:
        old, new = (json.loads((root / folder / name).read_text()) for folder in ("old", "new"))
        assert old["label"] == new["label"]
        assert [region["box"] for region in old["regions"]] == [region["box"] for region in new["regions"]]
    assert read_manifest(models / "patchcore/2").calibration.protocol == "manual"


def test_a_calibration_that_changes_nothing_says_so(models: Path, capsys: pytest.CaptureFixture[str]) -> None:
    same = "note: the thresholds are the same as those of version"
    assert calibrate(models, "--image_threshold", "0.5", "--pixel_threshold", "0.5") == 0
    assert f"{same} 1" in capsys.readouterr().err
    assert calibrate(models, "--image_threshold", "0.6") == 0
    assert same not in capsys.readouterr().err


def test_pictures_that_were_trained_on_set_no_thresholds(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    models = ["--name", "s", "--models_dir", str(tmp_path / "new")]
    model = ["--model", "Patchcore", "--model.pre_trained", "false", "--model.layers", "[layer1]"]
    options = ["--calibration", "HoldOut", "--tiling.tile_size", "64", *models]
    assert main(["train", *model, *folder(root / "good"), *options]) == 0
    seen = read_manifest(tmp_path / "new/s/1").seen
    assert seen is not None and seen.fitted is not None
    assert (seen.fitted.pictures, seen.calibrated.pictures) == (5, 1)
    capsys.readouterr()
    assert main(["calibrate", *folder(root / "good"), *models]) == 0
    assert "5 of 6 pictures are left out" in capsys.readouterr().err
    assert read_manifest(tmp_path / "new/s/2").calibration.pictures == 1
    for path in (root / "good").iterdir():
        if read_digests([path])[path] not in seen.fitted.digests:
            path.unlink()
    assert main(["calibrate", *folder(root / "good"), *models]) == 1
    assert "fitted to all of the 5 pictures" in capsys.readouterr().err


def test_a_command_without_goal_and_pictures_says_what_to_give(
    models: Path, root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert calibrate(models) == 1
    assert "give data, or an image_threshold" in capsys.readouterr().err
    assert calibrate(models, "--image_threshold", "12.5") == 1
    assert "image_threshold is 12.5" in capsys.readouterr().err
    assert [path.name for path in (models / "patchcore").iterdir()] == ["1"]


def test_an_imported_model_is_calibrated_in_its_served_precision(models: Path, root: Path) -> None:
    path = models / "patchcore/1/manifest.json"
    manifest = json.loads(path.read_text())
    manifest["calibration"] |= {"protocol": "imported", "pictures": 0, "image_min": 1.0, "pixel_min": 0.5}
    path.write_text(json.dumps(manifest))
    assert calibrate(models, *folder(root / "good"), "--precision", "auto") == 0
    calibration = load_artifact(ModelRepository(models).find("patchcore", 2)).calibration
    assert calibration.image_min == 0 and calibration.image_max == 2 * calibration.image_threshold


def test_a_running_server_serves_the_new_thresholds(models: Path) -> None:
    with running(Settings(models_dir=models, device="cpu", reload_interval_s=0.1)) as live:
        assert calibrate(models, "--image_threshold", "0.6") == 0
        catalogue = live.services.catalogue
        wait_until(lambda: [each.entry.version for each in catalogue.models()[0].versions if each.artifact] == [1, 2])
        assert (
            catalogue.get("patchcore").calibration
            == load_artifact(ModelRepository(models).find("patchcore", 2)).calibration
        )
