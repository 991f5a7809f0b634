"""A fusion of detectors, from its options on the command line to its answers over HTTP."""

import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient

from app.application import build_app
from app.artifacts import ModelRepository, read_manifest
from app.cli import main
from app.settings import Settings
from tests.conftest import draw_surface

OPTIONS = '{"patchcore": {"coreset_sampling_ratio": 0.02, "num_neighbors": 1}, "subspace": {"explained_variance": 0.9}}'


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model repository with the fusion `surface`."""
    root = tmp_path_factory.mktemp("fusion")
    (root / "good").mkdir()
    for number in range(12):
        Image.fromarray(draw_surface(number)).save(root / f"good/{number}.png")
    model = ["--model", "Fusion", "--model.members", "[patchcore, subspace]", "--model.options", OPTIONS]
    network = ["--model.layers", "[layer1, layer2]", "--model.pre_trained", "false"]
    data = ["--data", "Folder", "--data.root", str(root / "good"), "--data.num_workers", "0"]
    tiling = ["--tiling.tile_size", "64", "--tiling.stride", "32", "--tiling.halo", "16"]
    assert main(["train", *model, *network, *data, *tiling, "--name", "surface", "--models_dir", str(root / "m")]) == 0
    return root / "m"


@pytest.fixture(scope="module")
def served(trained: Path, until_ready: Callable[[TestClient], None]) -> Iterator[TestClient]:
    with TestClient(build_app(Settings(models_dir=trained, device="cpu"))) as client:
        until_ready(client)
        yield client


def predict(client: TestClient, picture: np.ndarray[Any, np.dtype[np.uint8]], query: str = "") -> dict[str, Any]:
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "PNG")
    answer = client.post(f"/v1/models/surface/predict?{query}", files={"image": file.getvalue()})
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


def stained(seed: int, height: int, width: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
    picture = draw_surface(seed, height, width)
    picture[40:56, 100:124] = (255, 0, 0)
    return picture


def test_options_of_members_reach_the_manifest(trained: Path) -> None:
    detector = read_manifest(ModelRepository(trained).find("surface", 1).path).detector
    assert detector.name == "fusion"
    assert detector.parameters["members"] == ["patchcore", "subspace"]
    options: Any = detector.parameters["options"]
    assert options["patchcore"]["coreset_sampling_ratio"] == 0.02
    assert options["subspace"] == {"explained_variance": 0.9}


@pytest.mark.parametrize(("height", "width"), [(96, 160), (130, 201)])
def test_a_defect_is_found_in_pictures_of_any_size(served: TestClient, height: int, width: int) -> None:
    body = predict(served, stained(77, height, width))
    assert body["label"] == "anomalous"
    peak = body["regions"][0]["peak"]
    assert 32 <= peak["y"] < 64 and 92 <= peak["x"] < 132
    assert predict(served, draw_surface(77, height, width))["score"] < body["score"]


def test_a_region_of_interest_takes_fewer_tiles_and_gives_the_same_map_there(served: TestClient) -> None:
    picture = stained(77, 200, 260)
    whole = predict(served, picture)
    inside, beside = (predict(served, picture, f"roi={roi}") for roi in ("92,32,40,40", "0,120,40,40"))
    assert inside["tiles"]["count"] < whole["tiles"]["count"]
    assert inside["score"] == pytest.approx(whole["score"], rel=1e-3)
    assert beside["score"] < inside["score"]
