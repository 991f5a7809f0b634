import json
import shutil
from pathlib import Path

import pytest
import torch

from app.api.schemas.model import DetailsBody
from app.artifacts import ModelRepository, load_artifact, read_manifest
from app.cli import main
from app.pipeline import predict
from tests.conftest import Picture

POLYGON = [[[90, 30], [140, 30], [140, 70], [90, 70], [90, 30]]]  # around the stain of `defect_picture`


@pytest.fixture
def models(models_dir: Path, tmp_path: Path) -> Path:
    """A repository with version 1 of `patchcore`."""
    shutil.copytree(models_dir / "patchcore/1", tmp_path / "models/patchcore/1")
    return tmp_path / "models"


def zones(models: Path, *more: str) -> int:
    return main(["zones", "--name", "patchcore", "--models_dir", str(models), *more])


def write(path: Path, **properties: object) -> str:
    geometry = {"type": "Polygon", "coordinates": POLYGON}
    feature = {"type": "Feature", "geometry": geometry, "properties": {"name": "stain", **properties}}
    path.write_text(json.dumps({"type": "FeatureCollection", "features": [feature]}))
    return str(path)


def test_zones_make_a_version_that_shares_its_weights_and_can_be_read_and_removed_again(
    models: Path, tmp_path: Path, defect_picture: Picture, capsys: pytest.CaptureFixture[str]
) -> None:
    assert zones(models, "--set", write(tmp_path / "zones.json", ignore=True)) == 0
    assert "stain: ignored" in (printed := capsys.readouterr().err) and "wrote version 2 of patchcore" in printed
    first, second = (models / "patchcore" / version for version in ("1", "2"))
    assert (first / "weights.safetensors").samefile(second / "weights.safetensors")
    manifest = read_manifest(second)
    assert (
        manifest.provenance.zones_from == 1
        and manifest.calibration == read_manifest(first).calibration.without_values()
    )
    assert manifest.quality is not None and manifest.quality.false_alarms is None and not manifest.quality.defects
    picture = torch.from_numpy(defect_picture).permute(2, 0, 1)
    repository = ModelRepository(models)
    before, after = (predict(load_artifact(repository.find("patchcore", number)).model, picture) for number in (1, 2))
    assert not after.anomaly_map[30:70, 90:140].any() and after.raw_score < before.raw_score
    assert torch.equal(after.anomaly_map[:30], before.anomaly_map[:30])
    artifact = load_artifact(repository.find("patchcore", 2))
    artifact.test_device(0)  # the golden sample has no zones
    (described,) = DetailsBody.of(artifact).zones
    assert described.model_dump() == {"name": "stain", "threshold": None, "pixel_threshold": None}

    assert zones(models) == 0
    shown = tmp_path / "shown.json"
    shown.write_text(capsys.readouterr().out)
    assert zones(models, "--set", str(shown)) == 0
    assert read_manifest(models / "patchcore/3").zones == manifest.zones
    calibrate = ["--device", "cpu", "--image_threshold", "0.6"]
    assert main(["calibrate", "--name", "patchcore", "--models_dir", str(models), *calibrate]) == 0
    assert read_manifest(models / "patchcore/4").zones == manifest.zones
    assert zones(models, "--clear", "true") == 0 and read_manifest(models / "patchcore/5").zones is None
    capsys.readouterr()
    assert zones(models, "--clear", "true") == 0 and "has no zones; nothing was written" in capsys.readouterr().err


def test_wrong_zones_are_refused_and_nothing_is_written(
    models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = write(tmp_path / "zones.json")
    for more, message in (
        (["--set", file], "zones.json: the zone 'stain' says neither"),
        (["--set", str(tmp_path / "absent")], "absent cannot be read: No such file or directory"),
        (["--set", write(tmp_path / "low.json", threshold=-3)], "times that of the model"),
        (["--version", "7"], "no version 7"),
    ):
        assert zones(models, *more) == 1
        assert message in capsys.readouterr().err
    for more, message in (
        (["--set", file, "--clear", "true"], "exclude each other"),
        (["--ignore", "true"], "--ignore belongs to --set"),
    ):
        assert zones(models, *more) == 2
        assert message in capsys.readouterr().err
    assert [path.name for path in (models / "patchcore").iterdir() if path.is_dir()] == ["1"]
    assert zones(models, "--set", file, "--ignore", "true") == 0
