import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from app.api.schemas.calibration import CalibrationBody
from app.application import build_app
from app.service import ServedModel
from app.settings import Settings


def test_models_are_listed_with_their_details(client: TestClient) -> None:
    models = {model["name"]: model for model in client.get("/v1/models").json()["models"]}
    assert {name: model["newest"] for name, model in models.items()} == {"padim": 1, "patchcore": 2}
    version = models["padim"]["versions"][0]
    assert (version["version"], version["state"], version["error"]) == (1, "ready", None)
    details = version["details"]
    assert details["detector"]["name"] == "padim"
    assert details["detector"]["parameters"]["layers"] == ["layer1", "layer2"]
    assert details["image_size"] == {"width": 96, "height": 64}
    assert details["tiling"]["tile_size"] == {"width": 64, "height": 64}
    assert details["tiling"]["stride"] == {"width": 32, "height": 32}
    assert details["metrics"] == {"image_auroc": 0.98}
    assert details["calibration"]["protocol"] == "held-out-normal"
    assert details["calibration"]["thresholds"] == {
        "method": "gumbel",
        "image_limits": {"low": 1.25, "high": 2.5},
        "image_margin": 0.125,
        "pixel_limits": {"low": 0.75, "high": 1.5},
        "pixel_margin": 0.0625,
    }
    assert details["calibration"]["calibrated_from"] is None
    assert details["quality"]["false_alarms"] == {
        "pictures": 7,
        "exceeded": 1,
        "low": 0.004,
        "high": 0.579,
        "bound": None,
    }
    assert details["quality"]["smallest_defect"] == 12
    assert details["quality"]["defects"][0] == {"diameter": 6, "tried": 10, "found": 5}
    assert len(details["digest"]) == 64
    execution = details["execution"]
    assert (execution["devices"], execution["runtime"]) == (["cpu"], "torch")
    assert execution["precision"] in ("float32", "bfloat16")
    assert execution["batch_tiles"] >= 1


def test_the_version_that_was_calibrated_anew_is_named(client: TestClient) -> None:
    manifest = client.app.state.services.catalogue.get("padim").manifest  # type: ignore[attr-defined]  # any ASGI
    provenance = manifest.provenance.model_copy(update={"calibrated_from": 3})
    without = manifest.calibration.model_copy(update={"thresholds": None})
    body = CalibrationBody.of(manifest.model_copy(update={"provenance": provenance, "calibration": without}))
    assert (body.calibrated_from, body.thresholds) == (3, None)


def test_one_model_equals_its_entry_in_the_list(client: TestClient) -> None:
    listed = client.get("/v1/models").json()["models"]
    assert client.get("/v1/models/patchcore").json() == listed[1]


def test_a_tag_changes_with_the_body(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    before = client.get("/v1/models/padim")
    assert before.headers["Cache-Control"] == "no-cache"
    monkeypatch.setattr(ServedModel, "live", None)
    after = client.get("/v1/models/padim", headers={"If-None-Match": before.headers["ETag"]})
    assert after.status_code == 200 and after.json()["newest"] is None
    assert after.headers["ETag"] != before.headers["ETag"]


@pytest.mark.parametrize("path", ["/v1/models", "/v1/models/padim", "/v1/models/patchcore"])
def test_an_unchanged_answer_is_not_sent_again(client: TestClient, path: str) -> None:
    tag = client.get(path).headers["ETag"]
    for known in (tag, f'"other", {tag}', tag.removeprefix("W/"), "*"):
        answer = client.get(path, headers={"If-None-Match": known})
        assert (answer.status_code, answer.content, answer.headers["ETag"]) == (304, b"", tag)
    for other in ('"other"', tag.removeprefix("W/").strip('"'), ""):
        assert client.get(path, headers={"If-None-Match": other}).status_code == 200


def test_models_have_different_etags(client: TestClient) -> None:
    paths = ["/v1/models", "/v1/models/padim", "/v1/models/patchcore"]
    assert len({client.get(path).headers["ETag"] for path in paths}) == 3


def test_an_unknown_model_is_refused_with_the_names_of_all_models(client: TestClient) -> None:
    answer = client.get("/v1/models/screw")
    assert (answer.status_code, answer.json()["code"]) == (404, "model_not_found")
    assert "padim, patchcore" in answer.json()["detail"]


def test_refused_version_is_listed_with_its_reason(
    models_dir: Path, tmp_path: Path, normal_png: bytes, until_ready: Callable[[TestClient], None]
) -> None:
    root = Path(shutil.copytree(models_dir / "padim", tmp_path / "padim")).parent
    (root / "padim" / "1" / "weights.safetensors").write_bytes(b"not weights")
    shutil.copytree(models_dir / "patchcore", root / "patchcore")
    settings = Settings(models_dir=root, device="cpu", default_model="patchcore")
    with TestClient(build_app(settings)) as client:
        until_ready(client)
        refused = client.get("/v1/models/padim").json()
        assert refused["newest"] is None
        assert refused["versions"][0]["state"] == "failed"
        assert refused["versions"][0]["error"]["code"] == "digest_mismatch"
        assert client.post("/v1/models/default/predict", files={"image": normal_png}).status_code == 200
        answer = client.post("/v1/models/padim/predict", files={"image": normal_png})
        assert (answer.status_code, answer.json()["code"]) == (404, "version_not_found")
