import io
import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from PIL import Image
from starlette.testclient import TestClient

from app import errors
from app.api.problems import refusal
from app.application import build_app
from app.errors import every_error
from app.settings import Settings
from tests.interposing import BeforeNetwork

Ready = Callable[[TestClient], None]
URL = "/v1/models/patchcore/predict"


@pytest.mark.parametrize("kind", list(every_error()))
def test_every_error_has_a_status_and_either_both_or_none_of_when_and_example(kind: type[errors.TesseraError]) -> None:
    assert 400 <= kind.status < 600
    assert ("when" in vars(kind)) == ("example" in vars(kind))


def test_codes_are_distinct() -> None:
    codes = [kind.code for kind in every_error()]
    assert len(set(codes)) == len(codes)


def test_the_refusal_of_a_request_without_an_application_is_bounded() -> None:
    for scope in (None, {"type": "http", "path": "/" + "x" * 10**6}):
        answer = refusal(scope, errors.InvalidHttp("y" * 10**6))
        body = json.loads(bytes(answer.body))
        assert len(answer.body) < 2000 and body["code"] == "invalid_http"
        assert body["request_id"] == answer.headers["X-Request-ID"]


def picture(format: str = "PNG", size: tuple[int, int] = (40, 30)) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", size, "grey").save(file, format)
    return file.getvalue()


@pytest.mark.parametrize(
    ("files", "status", "code"),
    [
        ({"image": b"Lorem ipsum dolor sit amet"}, 415, "unsupported_image"),
        ({"image": b"%PDF-1.7\n"}, 415, "unsupported_image"),
        ({"image": b"GIF89a" + bytes(20)}, 415, "unsupported_image"),
        ({"image": picture()[:-20]}, 422, "damaged_image"),
        ({"image": picture("JPEG")[:200]}, 422, "damaged_image"),
        ({"image": picture()[:50] + b"\0\0\0\0" + picture()[54:]}, 422, "damaged_image"),
        ({"image": b""}, 422, "invalid_image"),
        ({"picture": picture()}, 422, "invalid_request"),
    ],
    ids=["text", "pdf", "gif", "truncated-png", "truncated-jpeg", "corrupt-png", "empty", "wrong-field"],
)
def test_bad_uploads_are_refused(client: TestClient, files: dict[str, bytes], status: int, code: str) -> None:
    answer = client.post(URL, files=files)
    body = answer.json()
    assert (answer.status_code, body["code"]) == (status, code), body
    assert answer.headers["content-type"] == "application/problem+json"
    assert body["status"] == status and body["type"] == f"urn:tessera:problem:{code}"
    assert body["instance"] == URL and body["request_id"] == answer.headers["X-Request-ID"]
    assert body["title"].endswith(".") and len(body["detail"]) > 10


def test_text_instead_of_a_file_is_refused(client: TestClient) -> None:
    answer = client.post(URL, data={"image": "text"}, files={"other": b"x"})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
    assert answer.json()["errors"][0]["field"] == "body.image"


def test_a_form_without_a_boundary_is_refused(client: TestClient) -> None:
    answer = client.post(URL, content=b"x", headers={"Content-Type": "multipart/form-data"})
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_request")


def test_unknown_models_versions_paths_and_methods(client: TestClient) -> None:
    files = {"image": picture()}
    for path, code in {
        "/v1/models/screw/predict": "model_not_found",
        f"{URL}?version=7": "version_not_found",
        "/v3/anything": "not_found",
    }.items():
        answer = client.post(path, files=files)
        assert (answer.status_code, answer.json()["code"]) == (404, code)
    answer = client.get(URL)
    assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")
    assert answer.headers["Allow"] == "POST" and answer.json()["detail"].endswith("does not take GET; it takes POST")
    assert client.options("/v1/jobs").headers["Allow"] == "GET, HEAD, POST"
    assert client.put("/v1/jobs/1/pictures/0").headers["Allow"] == "GET, HEAD, PATCH"


@pytest.fixture
def small(models_dir: Path, until_ready: Ready) -> Iterator[TestClient]:
    """A client of a server with limits: pictures of 10,000 pixels, and 8 tiles in the queue."""
    settings = Settings(models_dir=models_dir, device="cpu", max_pixels=10_000, queue_tiles=8)
    with TestClient(build_app(settings)) as client:
        until_ready(client)
        yield client


def test_too_many_pixels_are_refused_by_the_header(small: TestClient) -> None:
    announcing = bytearray(picture())
    announcing[16:24] = (60_000).to_bytes(4, "big") * 2
    for data in (picture(size=(101, 100)), picture("JPEG", (500, 500)), picture("TIFF", (10_001, 1))):
        answer = small.post(URL, files={"image": data})
        assert (answer.status_code, answer.json()["code"]) == (413, "too_many_pixels")
        assert "10,000 (max_pixels)" in answer.json()["detail"]
    assert small.post(URL, files={"image": bytes(announcing)}).status_code in (413, 422)
    assert small.post(URL, files={"image": picture(size=(100, 100))}).status_code == 200


def test_a_truncated_jpeg_is_damaged_unless_the_setting_accepts_it(
    small: TestClient, models_dir: Path, until_ready: Ready
) -> None:
    data = picture("JPEG", (64, 64))
    cut = data[: (data.index(b"\xff\xda") + len(data)) // 2] + b"\xff\xd9"
    answer = small.post(URL, files={"image": cut})
    assert (answer.status_code, answer.json()["code"]) == (422, "damaged_image")
    settings = Settings(models_dir=models_dir, device="cpu", truncated_pictures="accept")
    with TestClient(build_app(settings)) as client:
        until_ready(client)
        assert client.post(URL, files={"image": cut}).status_code == 200


def test_a_full_queue_is_refused_with_retry_after(small: TestClient) -> None:
    worker = small.app.state.services.worker  # type: ignore[attr-defined]  # starlette types it as any ASGI application
    with worker.admit(8):
        answer = small.post(URL, files={"image": picture()})
        assert (answer.status_code, answer.json()["code"]) == (429, "overloaded")
        assert int(answer.headers["Retry-After"]) >= 1
    assert small.post(URL, files={"image": picture()}).status_code == 200
    assert worker.tiles == 0


def test_unexpected_errors_are_logged_and_not_disclosed(
    models_dir: Path, caplog: pytest.LogCaptureFixture, normal_png: bytes, until_ready: Ready
) -> None:
    app = build_app(Settings(models_dir=models_dir, device="cpu"))
    with TestClient(app) as client, caplog.at_level(logging.ERROR):
        until_ready(client)
        model = app.state.services.catalogue.get("patchcore").model

        def fail() -> None:
            hook.remove()
            raise RuntimeError("secret /srv/path")

        hook = BeforeNetwork(model, fail)
        answer = client.post(URL, files={"image": normal_png}, headers={"X-Request-ID": "line-4"})
        assert (answer.status_code, answer.json()["code"]) == (500, "internal_error")
        assert answer.headers["X-Request-ID"] == answer.json()["request_id"] == "line-4"
        assert "secret" not in answer.text
        assert "line-4" in caplog.text and "RuntimeError: secret /srv/path" in caplog.text
        assert client.post(URL, files={"image": normal_png}).status_code == 200


def test_lack_of_memory_is_reported_and_the_server_stays_ready(
    models_dir: Path, normal_png: bytes, until_ready: Ready
) -> None:
    app = build_app(Settings(models_dir=models_dir, device="cpu"))
    with TestClient(app) as client:
        until_ready(client)

        def fail() -> None:
            raise torch.OutOfMemoryError("out of memory")

        BeforeNetwork(app.state.services.catalogue.get("patchcore").model, fail)
        answer = client.post(URL, files={"image": normal_png})
        assert (answer.status_code, answer.json()["code"]) == (503, "insufficient_memory")
        assert client.get("/readyz").status_code == 200
