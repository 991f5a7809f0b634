"""Every code of an answer is provoked over HTTP, documented, and declared by the operation that answers it."""

import io
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO
from unittest.mock import patch

import pytest
import torch
from httpx2 import Response
from PIL import Image
from safetensors.torch import load_file, save_file
from starlette.testclient import TestClient

from app.api import picture_body
from app.api.problem_codes import ProblemCode, RefusalCode
from app.api.problem_examples import PROBLEMS
from app.application import build_app
from app.decoders import limits
from app.errors import every_error
from app.pipeline import Preprocessing
from app.settings import Settings
from scripts.contract.errors import PLACE, text
from tests.interposing import BeforeNetwork
from tests.repositories import add_version

ROOT = Path(__file__).parent.parent.parent
URL = "/v1/models/patchcore/predict"
NEVER_ANSWERED = {  # raised by the command line only, or base classes of raised errors
    "cannot_serve",
    "invalid_tiling",
    "limit_exceeded",
    "not_served",
    "invalid_weights",
    "invalid_bucket",
    "invalid_change",
    "invalid_dataset",
    "invalid_parameter",
    "invalid_serving",
    "invalid_training",
    "invalid_trainings",
    "training_interrupted",  # of a training, whose record has it
    "invalid_record",
    "invalid_sink",
    "not_delivered",
    "unsupported_import",
    "invalid_device",
    "invalid_keys",
    "invalid_jobs",
    "invalid_pictures",
    "access_denied",
}


def picture(size: tuple[int, int] = (40, 30)) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", size, "grey").save(file, "PNG")
    return file.getvalue()


def send(client: TestClient, content: bytes = picture(), url: str = URL, timeout_s: float = 60) -> Response:
    return client.post(url, files={"image": content}, headers={"X-Request-Timeout": f"{timeout_s:f}"})


def overloaded(client: TestClient) -> Response:
    with _worker(client).admit(64):
        return send(client)


def out_of_memory(client: TestClient) -> Response:
    return _failing(client, torch.OutOfMemoryError("out of memory"))


def unexpected(client: TestClient) -> Response:
    return _failing(client, RuntimeError("a fault"))


def not_finite(client: TestClient) -> Response:
    model = client.app.state.services.catalogue.get("patchcore").model  # type: ignore[attr-defined]
    run = model.run
    model.run = lambda tiles: tuple(torch.full_like(each, torch.nan) for each in run(tiles))
    return send(client)


def device_failed(client: TestClient) -> Response:
    return _failing(client, torch.AcceleratorError("CUDA error: unspecified launch failure", 719))


def decoding_limit(client: TestClient) -> Response:
    with patch.object(limits, "_BASE_BYTES", -(2**26)):
        return send(client)


def insufficient_storage(client: TestClient) -> Response:
    def full(**_: object) -> BinaryIO:
        return Path("/dev/full").open("w+b")

    with patch.object(tempfile, "TemporaryFile", full), patch.object(picture_body, "IN_MEMORY", 10):
        return client.post(URL, content=picture(), headers={"Content-Type": "image/png"})


def too_costly(client: TestClient) -> Response:
    memory = client.app.state.services.predictor._budgets.memory  # type: ignore[attr-defined]
    with patch.object(memory, "share", 1):
        return send(client)


def too_many_points(client: TestClient) -> Response:
    with patch("app.service.annotations.formats.MOST_POINTS", 3):
        return send(client, url=f"{URL}?format=geojson&threshold=0")


def stopped(client: TestClient) -> Response:
    _worker(client).drain()
    return send(client)


def stream(client: TestClient, parameters: str = "", content: bytes = bytes(160)) -> Response:
    return client.post(f"/v1/models/patchcore/stream?width=160&stream=line{parameters}", content=content)


def begun_twice(client: TestClient) -> Response:
    stream(client, "&more=true")
    return stream(client)


def not_streamable(client: TestClient) -> Response:
    model = client.app.state.services.catalogue.get("patchcore").model  # type: ignore[attr-defined]
    with patch.object(model, "preprocessing", Preprocessing((64, 64))):
        return stream(client)


PROVOKED: dict[ProblemCode, Callable[[TestClient], Response]] = {
    ProblemCode.UNSUPPORTED_IMAGE: lambda client: send(client, b"%PDF-1.7\n"),
    ProblemCode.DAMAGED_IMAGE: lambda client: send(client, picture()[:-20]),
    ProblemCode.INVALID_IMAGE: lambda client: send(client, b""),
    ProblemCode.INVALID_REGION: lambda client: send(client, url=f"{URL}?roi=90,0,20,20"),
    ProblemCode.INVALID_REQUEST: lambda client: send(client, url=f"{URL}?version=0"),
    ProblemCode.TOO_MANY_BYTES: lambda client: send(client, bytes(200_000)),
    ProblemCode.TOO_MANY_PIXELS: lambda client: send(client, picture((101, 100))),
    ProblemCode.DECODING_LIMIT: decoding_limit,
    ProblemCode.TOO_MANY_POINTS: too_many_points,
    ProblemCode.TOO_COSTLY: too_costly,
    ProblemCode.MODEL_NOT_FOUND: lambda client: send(client, url="/v1/models/screw/predict"),
    ProblemCode.VERSION_NOT_FOUND: lambda client: send(client, url=f"{URL}?version=7"),
    ProblemCode.NORMAL_PICTURE_NOT_FOUND: lambda client: client.get("/v1/models/patchcore/normal-pictures/0"),
    ProblemCode.NOT_STREAMABLE: not_streamable,
    ProblemCode.STREAM_NOT_FOUND: lambda client: stream(client, "&after=0"),
    ProblemCode.STREAM_CONFLICT: begun_twice,
    ProblemCode.INVALID_STREAM: lambda client: stream(client, content=bytes(100)),
    ProblemCode.OVERLOADED: overloaded,
    ProblemCode.INSUFFICIENT_MEMORY: out_of_memory,
    ProblemCode.NOT_FINITE: not_finite,
    ProblemCode.DEVICE_FAILED: device_failed,
    ProblemCode.INSUFFICIENT_STORAGE: insufficient_storage,
    ProblemCode.DEADLINE_EXCEEDED: lambda client: send(client, timeout_s=1e-6),
    ProblemCode.ENGINE_STOPPED: stopped,
    ProblemCode.TOO_MANY_PICTURES: lambda client: client.post(
        f"{URL}-batch", files=[("images", (f"{number}.png", b"x")) for number in range(101)]
    ),
    ProblemCode.UNSUPPORTED_MEDIA_TYPE: lambda client: client.post(
        URL, content=b"x", headers={"Content-Type": "text/plain"}
    ),
    ProblemCode.BAD_REQUEST: lambda client: client.post(
        URL, content=b"x", headers={"Content-Type": "multipart/form-data"}
    ),
    ProblemCode.CROSS_SITE: lambda client: client.post(URL, headers={"Sec-Fetch-Site": "cross-site"}),
    ProblemCode.UNKNOWN_HOST: lambda client: client.get("/v1/models", headers={"Host": "other.example"}),
    ProblemCode.NOT_FOUND: lambda client: client.get("/nowhere"),
    ProblemCode.METHOD_NOT_ALLOWED: lambda client: client.get(URL),
    ProblemCode.INTERNAL_ERROR: unexpected,
}
OTHER_ROUTES = {
    ProblemCode.TOO_MANY_PICTURES: "/v1/models/{model}/predict-batch",
    ProblemCode.UNREADABLE_REPOSITORY: "/v1/reload",
    ProblemCode.NORMAL_PICTURE_NOT_FOUND: "/v1/models/{model}/normal-pictures/{number}",
    ProblemCode.NOT_STREAMABLE: "/v1/models/{model}/stream",
    ProblemCode.STREAM_NOT_FOUND: "/v1/models/{model}/stream",
    ProblemCode.STREAM_CONFLICT: "/v1/models/{model}/stream",
    ProblemCode.INVALID_STREAM: "/v1/models/{model}/stream",
}
UNROUTED = {ProblemCode.NOT_FOUND, ProblemCode.METHOD_NOT_ALLOWED}
BREAKING = (
    ProblemCode.INSUFFICIENT_MEMORY,
    ProblemCode.NOT_FINITE,
    ProblemCode.DEVICE_FAILED,
    ProblemCode.ENGINE_STOPPED,
    ProblemCode.INTERNAL_ERROR,
)
"""Codes after which a server no longer predicts: each is provoked at a server of its own."""


def _worker(client: TestClient):  # type: ignore[no-untyped-def]  # starlette types the application as any ASGI
    return client.app.state.services.worker  # type: ignore[attr-defined]


def _failing(client: TestClient, error: Exception) -> Response:
    def fail() -> None:
        raise error

    model = client.app.state.services.catalogue.get("patchcore").model  # type: ignore[attr-defined]
    BeforeNetwork(model, fail)
    return send(client)


def check(answer: Response, code: ProblemCode) -> None:
    """Asserts the code, the documented status and title, `Retry-After`, and that the operation, if any, declares it."""
    status, title = PROBLEMS[code].status, PROBLEMS[code].title
    body = answer.json()
    assert (answer.status_code, body["code"], body["title"]) == (status, code, title)
    assert answer.headers["content-type"] == "application/problem+json"
    assert ("Retry-After" in answer.headers) == PROBLEMS[code].is_temporary
    if code not in UNROUTED:
        path = OTHER_ROUTES.get(code, "/v1/models/{model}/predict")
        operations = json.loads((ROOT / "openapi.json").read_text())["paths"][path]
        operation = operations.get("post") or operations["get"]
        declared = operation["responses"][str(status)]["content"]["application/problem+json"]["examples"]
        assert code in declared


@pytest.fixture(scope="module")
def limited(models_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Settings of a server of `patchcore` with low limits."""
    root = tmp_path_factory.mktemp("models")
    (root / "patchcore").symlink_to(models_dir / "patchcore")
    return Settings(
        models_dir=root, device="cpu", max_image_bytes=100_000, max_pixels=10_000, queue_tiles=64, batch_tiles=1
    )


@pytest.fixture(scope="module")
def limited_client(limited: Settings, until_ready: Callable[[TestClient], None]) -> Iterator[TestClient]:
    with TestClient(build_app(limited)) as client:
        until_ready(client)
        yield client


@pytest.mark.parametrize("code", [code for code in PROVOKED if code not in BREAKING])
def test_the_code_is_answered(code: ProblemCode, limited_client: TestClient) -> None:
    check(PROVOKED[code](limited_client), code)
    assert send(limited_client).status_code == 200  # the next tests meet a server that predicts


@pytest.mark.parametrize("code", BREAKING)
def test_the_code_of_a_fault_is_answered(
    code: ProblemCode, limited: Settings, until_ready: Callable[[TestClient], None]
) -> None:
    with TestClient(build_app(limited)) as client:
        until_ready(client)
        check(PROVOKED[code](client), code)


def test_a_model_that_is_still_loading_is_reported(models_dir: Path) -> None:
    client = TestClient(build_app(Settings(models_dir=models_dir, device="cpu")))  # not started: no model is loaded
    answer = send(client)
    check(answer, ProblemCode.MODEL_LOADING)
    assert int(answer.headers["Retry-After"]) >= 1


def test_an_unreadable_repository_is_reported(
    models_dir: Path, until_ready: Callable[[TestClient], None], tmp_path: Path
) -> None:
    (tmp_path / "models").symlink_to(models_dir)
    with TestClient(build_app(Settings(models_dir=tmp_path / "models", device="cpu"))) as client:
        until_ready(client)
        (tmp_path / "models").unlink()
        check(client.post("/v1/reload"), ProblemCode.UNREADABLE_REPOSITORY)


def test_every_code_is_provoked() -> None:
    elsewhere = {ProblemCode.MODEL_LOADING, ProblemCode.UNREADABLE_REPOSITORY}
    elsewhere.add(ProblemCode.PARTIAL_UNSUPPORTED)  # tests/api/test_partial.py
    elsewhere |= {
        ProblemCode.TOO_MANY_CONNECTIONS,
        ProblemCode.CLIENT_TOO_SLOW,
        ProblemCode.INVALID_HTTP,
    }  # connections
    elsewhere |= {
        ProblemCode.KEY_REQUIRED,
        ProblemCode.INVALID_KEY,
        ProblemCode.INSUFFICIENT_SCOPE,
        ProblemCode.RATE_LIMITED,
    }  # access
    elsewhere |= {
        ProblemCode.TRAININGS_UNAVAILABLE,
        ProblemCode.TRAINING_NOT_FOUND,
        ProblemCode.TRAINING_BUSY,
        ProblemCode.MODEL_EXISTS,
        ProblemCode.INVALID_NAME,
        ProblemCode.TOO_FEW_PICTURES,
        ProblemCode.SIZES_DIFFER,
        ProblemCode.NOT_TEACHABLE,
        ProblemCode.NOTHING_TO_LEARN,
        ProblemCode.TEACHING_NOT_FOUND,
        ProblemCode.TEACHING_CONFLICT,
        ProblemCode.SECOND_PERSON_REQUIRED,
    }  # tests/trainings
    elsewhere |= {
        ProblemCode.JOBS_UNAVAILABLE,
        ProblemCode.JOBS_DATABASE_UNAVAILABLE,
        ProblemCode.JOB_NOT_FOUND,
        ProblemCode.JOB_NOT_DONE,
        ProblemCode.RESULTS_UNAVAILABLE,
        ProblemCode.JOB_TOO_LARGE,
        ProblemCode.JOB_QUOTA,
        ProblemCode.UPLOAD_CONFLICT,
        ProblemCode.INVALID_PATH,
    }  # tests/jobs
    elsewhere |= {
        ProblemCode.PICTURES_UNAVAILABLE,
        ProblemCode.PICTURES_DATABASE_UNAVAILABLE,
        ProblemCode.PICTURE_NOT_FOUND,
        ProblemCode.INVALID_REVIEW,
        ProblemCode.REVIEW_CONFLICT,
        ProblemCode.TAG_REQUIRED,
    }  # tests/api/test_pictures.py
    elsewhere |= {ProblemCode.INVALID_ZONES, ProblemCode.ZONES_CONFLICT, ProblemCode.ZONES_REFUSED}  # test_zones.py
    elsewhere |= {ProblemCode.SHADOW_REFUSED}  # tests/api/test_shadow.py
    elsewhere |= {ProblemCode.NOT_TEACHABLE, ProblemCode.NOTHING_TO_LEARN}  # tests/teaching
    assert PROVOKED.keys() | elsewhere == set(ProblemCode)
    assert DAMAGED.keys() == set(RefusalCode) - {RefusalCode.LOAD_TIMEOUT}  # see tests/service/test_slow_loads.py


def test_the_page_of_errors_is_generated_from_the_error_classes() -> None:
    assert PLACE.read_text() == text(), "docs/errors.md is out of date: run `make errors`"


def test_every_error_is_an_answer_or_a_refusal_of_a_version_or_never_reaches_http() -> None:
    answered = {str(code) for code in (*ProblemCode, *RefusalCode)}
    assert {kind.code for kind in every_error()} <= answered | NEVER_ANSWERED
    assert not answered & NEVER_ANSWERED


def _newer_schema(version: Path) -> None:
    manifest = json.loads((version / "manifest.json").read_text())
    (version / "manifest.json").write_text(json.dumps(manifest | {"schema_version": 99}))


def _other_weights(version: Path) -> None:
    """Changes the weights and their digest in the manifest: only the golden sample can detect it."""
    weights = version / "weights.safetensors"
    state = {key: tensor.clone() for key, tensor in load_file(weights).items()}
    state["mean"] += 0.05 * state["mean"].abs().max()
    save_file(state, weights)
    manifest = json.loads((version / "manifest.json").read_text())
    manifest["files"][weights.name] = sha256(weights.read_bytes()).hexdigest()
    (version / "manifest.json").write_text(json.dumps(manifest))


DAMAGED: dict[RefusalCode, Callable[[Path], object]] = {
    RefusalCode.MISSING_FILE: lambda version: (version / "weights.safetensors").unlink(),
    RefusalCode.DIGEST_MISMATCH: lambda version: (version / "weights.safetensors").write_bytes(b"other"),
    RefusalCode.UNSUPPORTED_SCHEMA: _newer_schema,
    RefusalCode.GOLDEN_MISMATCH: _other_weights,
    RefusalCode.INVALID_ARTIFACT: lambda version: (version / "manifest.json").write_text("no manifest"),
    RefusalCode.MODEL_TOO_LARGE: lambda version: os.truncate(version / "weights.safetensors", 2**42),
}


@pytest.fixture(scope="module")
def refusing(
    models_dir: Path, until_ready: Callable[[TestClient], None], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[TestClient]:
    """A client of a server with one model that works, and one for each way of damage, named by its code."""
    root = tmp_path_factory.mktemp("damaged")
    shutil.copytree(models_dir / "patchcore/1", root / "patchcore/1")
    for code, damage in DAMAGED.items():
        damage(add_version(models_dir / "padim/1", root, code, 1))
    with TestClient(build_app(Settings(models_dir=root, device="cpu"))) as client:
        until_ready(client)
        yield client


@pytest.mark.parametrize("code", DAMAGED)
def test_the_code_of_a_refused_version_is_reported(code: RefusalCode, refusing: TestClient) -> None:
    (version,) = refusing.get(f"/v1/models/{code}").json()["versions"]
    assert (version["state"], version["error"]["code"]) == ("failed", code)
