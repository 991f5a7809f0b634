"""A model with a thumbnail, from the command line to its answers over HTTP."""

import io
import json
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from starlette.testclient import TestClient

from app.application import build_app
from app.artifacts import Artifact, ModelRepository, load_artifact, read_manifest
from app.cli import main
from app.pipeline import Roi, predict
from app.runtime import Precision, RunOptions
from app.settings import Settings
from tests.api.v2.messages import ask, files_input, parsed
from tests.conftest import Picture, draw_surface

SIZES = [(96, 160), (130, 201), (64, 64), (40, 50), (300, 90)]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model repository with the model `surface`."""
    root = tmp_path_factory.mktemp("thumbnail")
    (root / "good").mkdir()
    for number in range(12):
        Image.fromarray(draw_surface(number)).save(root / f"good/{number}.png")
    model = ["--model", "Subspace", "--model.layers", "[layer1, layer2]", "--model.pre_trained", "false"]
    tiling = ["--tiling.tile_size", "64", "--tiling.halo", "16", "--tiling.thumbnail", "true"]
    more = ["--name", "surface", "--models_dir", str(root / "m")]
    assert main(["train", *model, *folder(root), *tiling, *more]) == 0
    return root


def folder(root: Path) -> list[str]:
    return ["--data", "Folder", "--data.root", str(root / "good"), "--data.num_workers", "0"]


@pytest.fixture(scope="module")
def artifact(trained: Path) -> Artifact:
    return load_artifact(ModelRepository(trained / "m").find("surface", 1))


@pytest.fixture(scope="module")
def served(trained: Path, until_ready: Callable[[TestClient], None]) -> Iterator[TestClient]:
    with TestClient(build_app(Settings(models_dir=trained / "m", device="cpu", precision=Precision.float32))) as client:
        until_ready(client)
        yield client


def png(picture: Picture) -> bytes:
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "PNG")
    return file.getvalue()


def ask_v1(client: TestClient, picture: Picture, query: str = "") -> dict[str, Any]:
    answer = client.post(f"/v1/models/surface/predict?{query}", files={"image": png(picture)})
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


def stained(height: int = 96, width: int = 160) -> Picture:
    picture = draw_surface(77, height, width)
    picture[height // 3 : height // 3 + 16, width // 2 : width // 2 + 20] = (255, 0, 0)
    return picture


def tensor(picture: Picture) -> torch.Tensor:
    return torch.from_numpy(picture).permute(2, 0, 1).contiguous()


def test_the_manifest_has_the_tiles_detector_and_the_thumbnail(trained: Path, artifact: Artifact) -> None:
    manifest = read_manifest(ModelRepository(trained / "m").find("surface", 1).path)
    assert manifest.tiling.thumbnail and artifact.model.tiling.thumbnail
    assert (manifest.detector.name, manifest.detector.parameters["layers"]) == ("subspace", ["layer1", "layer2"])
    assert manifest.calibration.protocol == "cross-conformal"
    assert manifest.quality is not None and manifest.quality.defects


@pytest.mark.parametrize("size", SIZES)
def test_served_pictures_of_any_size_have_the_scores_of_the_pipeline(
    served: TestClient, artifact: Artifact, size: tuple[int, int]
) -> None:
    picture = stained(*size)
    body, expected = ask_v1(served, picture), predict(artifact.model, tensor(picture))
    assert body["raw_score"] == pytest.approx(expected.raw_score, rel=1e-3)
    assert body["tiles"]["count"] == body["tiles"]["rows"] * body["tiles"]["columns"] + 1
    assert body["label"] == "anomalous"
    assert ask_v1(served, draw_surface(77, *size))["raw_score"] < body["raw_score"]
    notes = {note["code"]: note["message"] for note in body["notes"]}
    assert ("unseen_size" in notes) == (size != (96, 160))
    assert "another scale" in notes.get("unseen_size", "another scale")


def test_a_region_has_the_score_of_the_pipeline(served: TestClient, artifact: Artifact) -> None:
    picture = stained(200, 260)
    for x, y, width, height in ((120, 60, 40, 40), (0, 150, 40, 40)):
        body = ask_v1(served, picture, f"roi={x},{y},{width},{height}")
        expected = predict(artifact.model, tensor(picture), roi=Roi(y, x, height, width))
        assert body["raw_score"] == pytest.approx(expected.raw_score, rel=1e-3)
        assert body["tiles"]["count"] == artifact.model.plan(200, 260, Roi(y, x, height, width)).count


def test_pictures_that_share_batches_have_the_scores_of_single_ones(served: TestClient) -> None:
    pictures = [stained(*size) for size in SIZES] * 3
    alone = [ask_v1(served, picture)["raw_score"] for picture in pictures]
    with ThreadPoolExecutor(len(pictures)) as pool:
        together = list(pool.map(lambda picture: ask_v1(served, picture)["raw_score"], pictures))
    assert together == pytest.approx(alone, rel=1e-3)


def test_v2_answers_as_v1(served: TestClient) -> None:
    expected = ask_v1(served, stained())
    _, found = parsed(
        ask(served, files_input([png(stained())]), ["raw_score", "label"], url="/v2/models/surface/infer")
    )
    assert float(found["raw_score"][0]) == pytest.approx(expected["raw_score"], rel=1e-5)


def test_models_report_the_thumbnail(served: TestClient, trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (version,) = served.get("/v1/models/surface").json()["versions"]
    assert version["details"]["tiling"]["thumbnail"] is True
    assert main(["models", "list", "--models_dir", str(trained / "m")]) == 0
    assert "64 x 64 + thumbnail" in capsys.readouterr().out


def test_the_fastest_precision_reproduces_the_golden_sample(trained: Path) -> None:
    entry = ModelRepository(trained / "m").find("surface", 1)
    found = load_artifact(entry, options=RunOptions(precision="auto"))
    assert found.model.execution.fallback is None


def test_new_thresholds_share_the_weights(trained: Path, tmp_path: Path) -> None:
    models = tmp_path / "m"
    shutil.copytree(trained / "m/surface/1", models / "surface/1")
    (tmp_path / "good").mkdir()
    for number in range(6):
        Image.fromarray(draw_surface(40 + number)).save(tmp_path / f"good/{number}.png")
    more = ["--name", "surface", "--models_dir", str(models), "--false_positive_rate", "0.2"]
    assert main(["calibrate", *more, *folder(tmp_path)]) == 0
    second = read_manifest(models / "surface/2")
    assert second.tiling.thumbnail and second.calibration.false_positive_rate == 0.2
    load_artifact(ModelRepository(models).find("surface", 2))


def test_a_manifest_without_the_field_has_no_thumbnail(models_dir: Path) -> None:
    path = models_dir / "patchcore/1/manifest.json"
    content = json.loads(path.read_bytes())
    del content["tiling"]["thumbnail"]
    assert type(read_manifest(path.parent)).model_validate(content).tiling.thumbnail is False


def test_detectors_without_thumbnails_refuse_them(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for kind in ("Padim", "Stfpm"):
        more = ["--tiling.thumbnail", "true", "--name", "other", "--models_dir", str(trained / "m")]
        assert main(["train", "--model", kind, "--model.pre_trained", "false", *folder(trained), *more]) == 1
        assert "use Subspace, Patchcore or Fusion" in capsys.readouterr().err
    assert not (trained / "m/other").exists()
