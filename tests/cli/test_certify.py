"""`tessera certify`, and where its certificate is shown."""

import json
import shutil
from pathlib import Path

import pytest
from PIL import Image

from app.artifacts import ModelRepository, load_artifact
from app.cli import main
from app.cli.certify import budget_seconds
from app.data import read_digests
from app.errors import InvalidParameter
from app.pipeline import resolve_device
from app.service.catalogue import ModelCatalogue
from tests.conftest import draw_surface

FEW = "--marks", "10", "--contrasts", "[0.9]", "--data.num_workers", "0"


@pytest.fixture
def models(models_dir: Path, tmp_path: Path) -> Path:
    """A copy of a model, so that its certificate is its own."""
    shutil.copytree(models_dir / "patchcore/1", tmp_path / "models/patchcore/1")
    return tmp_path / "models"


@pytest.fixture
def good(tmp_path: Path) -> Path:
    """A folder of four normal pictures."""
    folder = tmp_path / "pictures/good"
    folder.mkdir(parents=True)
    for number in range(4):
        Image.fromarray(draw_surface(400 + number)).save(folder / f"{number}.png")
    return folder.parent


def flags(models: Path, good: Path, *more: str) -> list[str]:
    where = "--data", "Folder", "--data.root", str(good), "--data.normal_dir", "good"
    return ["certify", "--name", "patchcore", "--models_dir", str(models), *where, *FEW, *more]


def test_a_certificate_is_printed_written_served_and_part_of_reports(
    models: Path, good: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    entry = ModelRepository(models).find("patchcore", 1)
    catalogue = ModelCatalogue(ModelRepository(models), [resolve_device("cpu")])
    catalogue.refresh()
    served = catalogue.get("patchcore")
    assert served.certificate is None
    assert main(flags(models, good, "--output", str(tmp_path / "certificate"))) == 0
    printed = capsys.readouterr()
    written = json.loads((entry.path / "certificate.json").read_text())
    assert json.loads((tmp_path / "certificate/certificate.json").read_text()) == written
    assert "size in pixels that is found with 95 % probability" in printed.out
    assert "estimate" in printed.err and "marks" in printed.err
    assert "10 marks of each kind and contrast are few" in printed.err
    assert written["pictures"] == 4
    artifact = load_artifact(entry)
    assert artifact.digest == written["digest"]  # the manifest has not changed
    assert artifact.certificate is not None
    headline = str(artifact.certificate.headlines[0])
    assert headline in " ".join(printed.out.split())
    catalogue.refresh()  # a running server finds the certificate, and keeps the loaded model
    again = catalogue.get("patchcore")
    assert again.certificate == artifact.certificate
    assert again.model is served.model
    assert main(["models", "list", "--models_dir", str(models)]) == 0
    assert "certified: " in capsys.readouterr().out
    output = tmp_path / "report"
    shutil.copytree(good / "good", tmp_path / "data/steel/test/good")
    evaluate = "evaluate", "--name", "patchcore", "--models_dir", str(models), "--data", "MVTec"
    where = "--data.root", str(tmp_path / "data"), "--data.category", "steel"
    assert main([*evaluate, *where, "--output", str(output)]) == 0
    assert "What it can find" in (output / "report.html").read_text()
    assert json.loads((output / "metrics.json").read_text())["certificate"]["headlines"][0] == headline


def test_pictures_that_the_model_knows_are_not_used(
    models: Path, good: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    manifest = models / "patchcore/1/manifest.json"
    paths = sorted((good / "good").iterdir())
    for known, status in ((paths[:3], 0), (paths, 1)):
        digests = list(read_digests(known).values())
        seen = {
            "fitted": {"pictures": 1, "digests": digests[:1]},
            "calibrated": {"pictures": len(digests) - 1, "digests": digests[1:]},
        }
        manifest.write_text(json.dumps(json.loads(manifest.read_text()) | {"seen": seen}))
        assert main(flags(models, good)) == status
        error = capsys.readouterr().err
        if status == 0:
            assert json.loads((models / "patchcore/1/certificate.json").read_text())["pictures"] == 1
            assert "3 of 4 pictures are left out" in error
        else:
            assert "fitted to or calibrated on all of the 4 normal pictures" in error


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("--budget", "soon"), "budget is 'soon'; use a number with s, m or h"),
        (("--budget", "0.1s"), "use 1 s or more"),
        (("--contrasts", "[8]"), "use shares above 0 and at most 1"),
        (("--marks", "3"), "use 10 to 1000"),
        (("--version", "7"), "has no version 7"),
    ],
)
def test_bad_options_end_the_command_with_one_line(
    models: Path, good: Path, capsys: pytest.CaptureFixture[str], more: tuple[str, ...], message: str
) -> None:
    assert main(flags(models, good, *more)) == 1
    error = capsys.readouterr().err
    assert message in error
    assert len(error.strip().splitlines()) == 1
    assert not (models / "patchcore/1/certificate.json").exists()


def test_times_have_units() -> None:
    assert [budget_seconds(text) for text in ("90", "90s", "5m", "1.5h", None)] == [90.0, 90.0, 300.0, 5400.0, None]
    with pytest.raises(InvalidParameter):
        budget_seconds("5 minutes")
