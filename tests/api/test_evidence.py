"""Evidence for regions over HTTP."""

import io
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from starlette.testclient import TestClient

from app.application import build_app
from app.artifacts import ModelRepository, load_artifact
from app.pipeline import interpret, predict
from app.settings import Settings
from tests.conftest import Picture
from tests.waiting import wait_until

URL = "/v1/models/explained/predict"


@pytest.fixture(scope="module")
def explained(explained_dir: Path) -> Iterator[TestClient]:
    """A client of an application that serves `explained`."""
    with TestClient(build_app(Settings(models_dir=explained_dir, device="cpu"))) as client:
        wait_until(lambda: client.get("/readyz").status_code == 200)
        yield client


def ask(client: TestClient, png: bytes, query: str = "include=evidence", url: str = URL) -> dict[str, Any]:
    answer = client.post(f"{url}?{query}", files={"image": png})
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


def test_regions_have_evidence_like_that_without_a_server(
    explained: TestClient, explained_dir: Path, defect_png: bytes, defect_picture: Picture
) -> None:
    body = ask(explained, defect_png)
    artifact = load_artifact(ModelRepository(explained_dir).find("explained"))
    image = torch.from_numpy(defect_picture).permute(2, 0, 1).contiguous()
    prediction = interpret(predict(artifact.model, image), artifact.calibration)
    expected = artifact.evidence_for((96, 160)).compute(image, prediction)
    assert expected and len(body["regions"]) == len(prediction.regions)
    assert ["evidence" in region for region in body["regions"]] == [n < 8 for n in range(len(body["regions"]))]
    for region, own in zip(body["regions"], expected, strict=False):
        found = region["evidence"]
        assert found["ratio"] == pytest.approx(own.ratio, rel=1e-3)
        box = found["patch"]
        assert (box["x"], box["y"], box["width"], box["height"]) == (
            *(own.patch.left, own.patch.top),
            *(own.patch.width, own.patch.height),
        )
        assert [each["picture"] for each in found["nearest"]] == [each.name for each in own.nearest]
        assert [(each["place"]["y"], each["place"]["x"]) for each in found["nearest"]] == [
            each.place for each in own.nearest
        ]
        distances = [each["distance"] for each in found["nearest"]]
        assert distances == pytest.approx([each.distance for each in own.nearest], rel=1e-3)


def test_copies_are_jpegs_of_the_training_pictures(explained: TestClient, defect_png: bytes) -> None:
    nearest = ask(explained, defect_png)["regions"][0]["evidence"]["nearest"][0]
    assert nearest["copy_url"].startswith("v1/models/explained/normal-pictures/")
    answer = explained.get(f"/{nearest['copy_url']}")
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "image/jpeg")
    assert answer.headers["Cache-Control"] == "private, max-age=3600"
    assert Image.open(io.BytesIO(answer.content)).size == (nearest["width"], nearest["height"]) == (160, 96)


def test_a_copy_that_does_not_exist_is_not_found(explained: TestClient, client: TestClient) -> None:
    answer = explained.get("/v1/models/explained/normal-pictures/4")
    assert (answer.status_code, answer.json()["code"]) == (404, "normal_picture_not_found")
    assert "has no copy of picture 4; it has 4 copies" in answer.json()["detail"]
    assert client.get("/v1/models/patchcore/normal-pictures/0").json()["code"] == "normal_picture_not_found"
    assert explained.get("/v1/models/explained/normal-pictures/-1").status_code == 422


def test_answers_without_evidence_are_the_same_as_before(explained: TestClient, defect_png: bytes) -> None:
    plain, full = ask(explained, defect_png, ""), ask(explained, defect_png)
    assert not any("evidence" in region for region in plain["regions"])
    for region in full["regions"]:
        region.pop("evidence", None)
    assert plain | {"timing_ms": None} == full | {"timing_ms": None}


def test_a_model_without_evidence_says_so(client: TestClient, defect_png: bytes) -> None:
    body = ask(client, defect_png, url="/v1/models/patchcore/predict")
    assert [note["code"] for note in body["notes"]] == ["no_evidence"]
    assert "does not record the nearest normal patches of a region and how far" in body["notes"][0]["message"]
    found = body["regions"][0]["evidence"]
    assert found["nearest"] == [] and "ratio" not in found


def test_a_normal_picture_has_no_region_to_explain(explained: TestClient, normal_png: bytes) -> None:
    body = ask(explained, normal_png)
    assert body["regions"] == [] and body["notes"] == []


def test_pictures_of_a_batch_have_evidence(explained: TestClient, defect_png: bytes, normal_png: bytes) -> None:
    files = [("images", (name, png)) for name, png in (("a.png", defect_png), ("b.png", normal_png))]
    items = explained.post(f"{URL}-batch?include=evidence", files=files).json()["items"]
    alone = ask(explained, defect_png)["regions"][0]["evidence"]["nearest"]
    assert items[0]["prediction"]["regions"][0]["evidence"]["nearest"] == alone
    assert items[1]["prediction"]["regions"] == []


def test_evidence_and_a_partial_answer_exclude_each_other(explained: TestClient, defect_png: bytes) -> None:
    answer = explained.post(f"{URL}?include=evidence&partial=true", files={"image": defect_png})
    assert answer.status_code == 422
    assert "for which partial leaves no time; leave out one of them" in answer.json()["detail"]


def test_the_queue_is_empty_after_concurrent_requests(explained: TestClient, defect_png: bytes) -> None:
    with ThreadPoolExecutor(4) as threads:
        bodies = list(threads.map(lambda _: ask(explained, defect_png), range(8)))
    assert all(body["regions"] == bodies[0]["regions"] for body in bodies)
    worker = explained.app.state.services.worker  # type: ignore[attr-defined]  # starlette types it as any ASGI
    wait_until(lambda: worker.tiles == 0)
