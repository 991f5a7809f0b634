"""Serving models from a bucket."""

import json
import logging
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from fastapi.testclient import TestClient

from app.application import build_app
from app.artifacts import Contender, Entry, MirroredRepository, ModelRepository, start_shadow, verify_artifact
from app.errors import ModelNotFound, UnreadableRepository, VersionNotFound
from app.parts import require_default
from app.service import ModelCatalogue, ServeNew
from app.settings import Settings
from tests.buckets import KEY, SECRET, Bucket
from tests.waiting import wait_until

CPU = torch.device("cpu")
WEIGHTS = "weights.safetensors"
Open = Callable[..., ModelCatalogue]


@pytest.fixture
def filled(bucket: Bucket, models_dir: Path) -> Bucket:
    """A bucket with version 1 of `patchcore`."""
    bucket.put(models_dir / "patchcore/1")
    return bucket


@pytest.fixture
def open_catalogue(filled: Bucket, tmp_path: Path) -> Open:
    """A function that makes the catalogue as a new process does."""

    def make(serve_new: ServeNew = "newest", patience_s: float = 60, most_loaded: int | None = None) -> ModelCatalogue:
        repository = MirroredRepository(filled.folder(), tmp_path / "cache", 2**30)
        return ModelCatalogue(repository, [CPU], serve_new=serve_new, patience_s=patience_s, most_loaded=most_loaded)

    return make


def pin(bucket: Bucket, version: int) -> None:
    bucket.write("patchcore/serving.json", json.dumps({"pinned": version}).encode())


def test_versions_pins_rollbacks_and_deletions_in_the_bucket_are_followed(
    filled: Bucket, open_catalogue: Open, models_dir: Path
) -> None:
    models = open_catalogue()
    models.refresh()
    assert models.get("patchcore").version == 1
    filled.put(models_dir / "patchcore/2")
    (changed,) = models.refresh()
    assert changed.added == (2,) and models.get("patchcore").version == 2
    pin(filled, 1)
    models.refresh()
    assert (models.get("patchcore").version, models.get("patchcore", 2).version) == (1, 2)
    pin(filled, 2)
    models.refresh()
    assert models.get("patchcore").version == 2
    filled.remove("patchcore/1")
    (changed,) = models.refresh()
    assert changed.removed == (1,)
    with pytest.raises(VersionNotFound):
        models.get("patchcore", 1)
    assert filled.server.fetched(WEIGHTS) == 2


def test_of_models_that_do_not_fit_into_memory_only_manifests_are_fetched(
    filled: Bucket, open_catalogue: Open, models_dir: Path
) -> None:
    filled.put(models_dir / "patchcore/2")
    filled.put(models_dir / "padim/1")
    models = open_catalogue(most_loaded=1)
    models.refresh()
    assert {model.name: model.live for model in models.models()} == {"padim": 1, "patchcore": 2}
    assert filled.server.fetched(WEIGHTS) == 1
    again = open_catalogue(most_loaded=1)  # what was fetched is described by its copy
    again.refresh()
    assert filled.server.fetched(WEIGHTS) == 1
    filled.write("padim/1/manifest.json", b"{")
    models.refresh()
    error = models.model("padim").versions[0].error
    assert error is not None and "s3://" in str(error) and "manifest.json is not a readable JSON file" in str(error)


def test_wrong_bytes_in_the_bucket_do_not_touch_what_is_served(
    filled: Bucket, open_catalogue: Open, models_dir: Path
) -> None:
    models = open_catalogue()
    models.refresh()
    before = models.get("patchcore")
    weights = (models_dir / "patchcore/1" / WEIGHTS).read_bytes()
    filled.write(f"patchcore/1/{WEIGHTS}", weights[1:] + b"x")
    filled.put(models_dir / "patchcore/2")
    filled.write("patchcore/2/golden.safetensors", b"no tensors")
    models.refresh()
    assert models.get("patchcore") is before
    states = [(status.state.value, status.error and status.error.code) for status in models.models()[0].versions]
    assert states == [("ready", None), ("failed", "digest_mismatch")]  # the manifest of 1 is that of what is there


def test_a_bucket_that_is_away_leaves_what_is_served_and_is_reported_once(
    filled: Bucket, open_catalogue: Open, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    models = open_catalogue()
    models.refresh()
    filled.server.stop()
    try:
        for _ in range(2):
            with pytest.raises(UnreadableRepository, match=f"{filled.url} cannot be read: it cannot be reached"):
                models.refresh()
        assert models.get("patchcore").version == 1 and filled.url in str(models.problem)
        assert [line for line in caplog.messages if "cannot be read" in line] == [
            f"the model repository {filled.url} cannot be read: it cannot be reached; loaded models stay served"
        ]
    finally:
        filled.server.start()
    models.refresh()
    assert models.problem is None and "can be read again" in caplog.text
    for secret in (KEY, SECRET):
        assert secret not in caplog.text


def test_a_server_that_starts_without_the_bucket_serves_what_was_fetched(filled: Bucket, open_catalogue: Open) -> None:
    open_catalogue().refresh()
    filled.server.stop()
    try:
        models = open_catalogue()
        with pytest.raises(UnreadableRepository):
            models.refresh()
        before = models.get("patchcore")
    finally:
        filled.server.start()
    models.refresh()
    assert models.get("patchcore") is before and filled.server.fetched(WEIGHTS) == 1


def test_a_slow_bucket_does_not_delay_what_was_fetched(filled: Bucket, open_catalogue: Open, models_dir: Path) -> None:
    open_catalogue().refresh()
    filled.put(models_dir / "patchcore/2")
    filled.server.held = f"patchcore/2/{WEIGHTS}"
    try:
        models = open_catalogue(patience_s=0.5)
        models.refresh()
        wait_until(lambda: models.model("patchcore").live is not None)
        assert [status.state.value for status in models.models()[0].versions] == ["ready", "loading"]
    finally:
        filled.server.release()
    wait_until(lambda: models.get("patchcore").version == 2)


def test_a_shadow_in_the_bucket_is_followed_and_its_counts_stay_in_the_mirror(
    filled: Bucket, models_dir: Path, tmp_path: Path, normal_png: bytes
) -> None:
    filled.put(models_dir / "patchcore/2")
    made = tmp_path / "made"
    shutil.copytree(models_dir / "patchcore", made / "patchcore")
    candidate, served = (
        Contender(version, verify_artifact(Entry("patchcore", version, made / f"patchcore/{version}"))[1])
        for version in (1, 2)
    )
    start_shadow(ModelRepository(made), "patchcore", candidate, served, "quality", share=1.0)
    settings = Settings(models_dir=filled.url, models_cache=tmp_path / "cache", device="cpu", reload_interval_s=0)
    url = "/v1/models/patchcore"
    with TestClient(build_app(settings)) as client:
        wait_until(lambda: client.get("/readyz").status_code == 200)
        refused = client.post(f"{url}/shadow", json={"version": 1})
        assert refused.status_code == 409 and "servers do not write to a bucket" in refused.json()["detail"]
        filled.write("patchcore/shadow.json", (made / "patchcore/shadow.json").read_bytes())
        assert client.post("/v1/reload").status_code == 200
        wait_until(lambda: client.app.state.services.shadows.trial("patchcore") is not None)  # type: ignore[attr-defined]
        before = filled.files()
        assert client.post(f"{url}/predict", files={"image": normal_png}).status_code == 200
        wait_until(lambda: client.get(f"{url}/shadow").json()["shadow"]["compared"] == 1)
        assert filled.files() == before


def test_the_server_writes_no_choice_to_the_bucket_or_its_mirror(
    filled: Bucket, open_catalogue: Open, models_dir: Path, caplog: pytest.LogCaptureFixture
) -> None:
    models, before = open_catalogue("pinned"), filled.files()
    models.refresh()
    filled.put(models_dir / "patchcore/2")
    models.refresh()
    assert models.get("patchcore").version == 1
    assert "a choice cannot be recorded in the repository" in caplog.text
    assert [path for path in filled.files() if path not in before] == sorted(
        f"patchcore/2/{file}" for file in ("golden.safetensors", "manifest.json", WEIGHTS)
    )
    restarted = open_catalogue("pinned")
    restarted.refresh()
    assert restarted.get("patchcore").version == 2


def test_the_application_serves_from_a_bucket_and_reports_when_it_is_away(
    filled: Bucket, tmp_path: Path, normal_png: bytes
) -> None:
    settings = Settings(
        models_dir=filled.url, models_cache=tmp_path, default_model="patchcore", device="cpu", reload_interval_s=0
    )
    require_default(settings)
    with pytest.raises(ModelNotFound, match=f"{filled.url} has no such model; available: patchcore"):
        require_default(settings.model_copy(update={"default_model": "screw"}))
    with TestClient(build_app(settings)) as client:
        wait_until(lambda: client.get("/readyz").status_code == 200)
        assert client.post("/v1/models/default/predict", files={"image": normal_png}).status_code == 200
        filled.server.stop()
        try:
            answer = client.post("/v1/reload")
            assert (answer.status_code, answer.json()["code"]) == (503, "unreadable_repository")
            assert filled.url in answer.json()["detail"]
            assert client.get("/readyz").status_code == 200
            assert client.post("/v1/models/default/predict", files={"image": normal_png}).status_code == 200
        finally:
            filled.server.start()
        assert client.post("/v1/reload").status_code == 200


def test_without_models_readyz_says_that_the_bucket_is_away(filled: Bucket, tmp_path: Path) -> None:
    filled.server.stop()
    try:
        settings = Settings(models_dir=filled.url, models_cache=tmp_path, default_model="patchcore", device="cpu")
        require_default(settings)
        with TestClient(build_app(settings)) as client:
            wait_until(lambda: "cannot be reached" in client.get("/readyz").text)
            assert client.get("/readyz").status_code == 503
    finally:
        filled.server.start()
