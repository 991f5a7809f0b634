"""What clients can make long or many is bounded: character sets, numbers, repeated values, parts of forms, series."""

import tracemalloc
from collections.abc import Callable
from pathlib import Path

import httpx2
import pytest
from starlette.testclient import TestClient

from app.api.charset import unknown_charset
from app.application import build_app
from app.settings import Settings
from app.shown import LONGEST, MOST_CHARACTERS, bounded, shown

PREDICT = "/v1/models/patchcore/predict"
FORM = "multipart/form-data; boundary=B"
DIGITS = "9" * 5000
END = b"\r\n--B--\r\n"


def part(headers: bytes = b"", name: bytes = b"image", file: bool = True, content: bytes = b"x") -> bytes:
    named = b'form-data; name="%s"%s' % (name, b'; filename="a.png"' if file else b"")
    return b"\r\n--B\r\nContent-Disposition: %s%s\r\n\r\n%s" % (named, headers, content)


@pytest.mark.parametrize("known", ["", "; charset=utf-8", "; charset=UTF-8", "; charset=us-ascii", "; charset=latin1"])
def test_known_charsets_are_accepted(client: TestClient, known: str) -> None:
    body = part(b"\r\nContent-Type: image/png" + known.encode()) + END
    assert client.post(PREDICT, content=body, headers={"Content-Type": FORM + known}).json()["status"] != 400
    assert unknown_charset(f"text/plain{known}") is None


UNKNOWN = ["undefined", "idna", "punycode", "unicode_escape", "rot13", "hex", "zlib", "utf-8\0", "utf--8", "x" * 300]


@pytest.mark.parametrize("charset", UNKNOWN)
@pytest.mark.parametrize("place", ["form", "part", "raw", "v2", "index"])
def test_unknown_charsets_are_refused(client: TestClient, place: str, charset: str) -> None:
    suffix = f"; charset={charset}"
    body, types = part(b"", "ü".encode()) + END, {"raw": "image/png", "v2": "application/json", "form": FORM}
    content_type = types.get(place, "application/json") + suffix
    if place == "part":
        content_type, body = FORM, part(b"\r\nContent-Type: text/plain" + suffix.encode()) + END
    path = {"v2": "/v2/models/patchcore/infer", "index": "/v2/repository/index"}.get(place, PREDICT)
    answer = client.post(path, content=body, headers={"Content-Type": content_type})
    assert answer.status_code == (400 if place == "part" else 415) and "charset" in answer.text
    assert len(answer.text) < 1000


@pytest.mark.parametrize(
    "name", ["version", "roi", "threshold", "min_region_area", "opacity", "colormap", "include", "x"]
)
@pytest.mark.parametrize("value", [DIGITS, "1,2,3," + DIGITS])
def test_numbers_of_thousands_of_digits_in_the_query_are_invalid(client: TestClient, name: str, value: str) -> None:
    answer = client.post(f"{PREDICT}?{name}={value}", content=b"x")
    assert answer.status_code == 422 and len(answer.text) < 5000


@pytest.mark.parametrize("header", ["X-Request-Timeout", "Content-Length", "Inference-Header-Content-Length"])
@pytest.mark.parametrize("path", [PREDICT, "/v2/models/patchcore/infer", "/v2/repository/index"])
def test_numbers_of_thousands_of_digits_in_headers_are_refused(client: TestClient, header: str, path: str) -> None:
    answer = client.post(path, content=b"", headers={header: DIGITS})
    assert 200 <= answer.status_code < 500 and len(answer.text) < 2000


@pytest.mark.parametrize("header", ["Content-Length", "Content-Encoding", "Range", "If-None-Match"])
@pytest.mark.parametrize("path", ["/v1/models", "/docs/assets/swagger-ui.css", "/openapi.json", "/livez"])
def test_headers_of_thousands_of_digits_do_no_harm_without_a_body(client: TestClient, header: str, path: str) -> None:
    value = f"bytes={DIGITS}-" if header == "Range" else DIGITS
    assert client.get(path, headers={header: value}).status_code in (200, 400, 416)


LONG = "a" * 20_000
SPACED = "a b" * 5_000
REPEATED: dict[str, Callable[[TestClient, str], httpx2.Response]] = {
    "model": lambda client, value: client.get(f"/v1/models/{value}"),
    "model of v2": lambda client, value: client.post(f"/v2/models/{value}/infer", content=b""),
    "route": lambda client, value: client.get(f"/{value}"),
    "version": lambda client, value: client.get(f"/v2/models/patchcore/versions/{value}"),
    "query parameter": lambda client, value: client.post(f"{PREDICT}?{value}=1", content=b"x"),
    "value": lambda client, value: client.post(f"{PREDICT}?version={value}", content=b"x"),
    "many parameters": lambda client, value: client.post(f"{PREDICT}?{'&'.join(value)}", content=b"x"),
    "many names": lambda client, _: client.post(f"{PREDICT}?{'&'.join(f'q{n}' for n in range(9000))}", content=b"x"),
    "media type": lambda client, value: client.post(PREDICT, content=b"x", headers={"Content-Type": value}),
    "encoding": lambda client, value: client.post(PREDICT, content=b"x", headers={"Content-Encoding": value}),
    "timeout": lambda client, value: client.post(PREDICT, content=b"x", headers={"X-Request-Timeout": value}),
    "length": lambda client, value: client.post(
        "/v2/models/patchcore/infer", headers={"Inference-Header-Content-Length": value}
    ),
    "output": lambda client, value: client.post(
        "/v2/models/patchcore/infer",
        json={"inputs": [{"name": "image", "shape": [1], "datatype": "BYTES"}], "outputs": [{"name": value}]},
    ),
    "id": lambda client, value: client.post("/v2/models/patchcore/infer", json={"id": value, "inputs": []}),
    "field": lambda client, value: client.post(PREDICT, data={"x": value}, files={"b": b"x"}),
}


@pytest.mark.parametrize("value", [LONG, SPACED], ids=["long", "spaced"])
@pytest.mark.parametrize("place", REPEATED)
def test_answers_repeat_only_the_beginning_of_values(client: TestClient, place: str, value: str) -> None:
    answer = REPEATED[place](client, value)
    assert 400 <= answer.status_code < 500, answer.text[:300]
    assert len(answer.text) < 3 * MOST_CHARACTERS and "a" * (LONGEST + 5) not in answer.text


def test_messages_keep_what_follows_a_long_word() -> None:
    assert bounded(f"there is no {'x' * 10**6}; available: demo").endswith("x…; available: demo".replace(";", ""))
    assert len(bounded("ab " * 10**6)) <= MOST_CHARACTERS + 1
    assert bounded(short := "a picture is 'x'") == short
    assert len(shown("x" * 10**6)) <= LONGEST + 1 and len(shown([1] * 10**5)) <= LONGEST + 1
    assert shown("a'b") == repr("a'b") and shown(10**300) == repr(10**300)[:LONGEST] + "…"
    assert "digits" in shown(10**5000) and "digits" in shown([10**5000])


FORMS = {
    "text parts": part(file=False) * 200,
    "large text": part(file=False, content=bytes(100_000)),
    "files": part() * 300,
    "headers": part(b"\r\nX: y" * 50),
    "long header": part(b"\r\nX: " + b"y" * 10_000),
    "long header name": part(b"\r\n" + b"y" * 10_000 + b": y"),
    "long name": part(name=b"y" * 10_000),
    "lines like the boundary": part(content=b"\r\n--Bx" * 10_000),
    "preamble": b"preamble\r\n" * 10_000 + part(),
    "epilogue": part() + END + bytes(200_000),
}


@pytest.mark.parametrize("kind", FORMS)
@pytest.mark.parametrize("route", ["predict", "predict-batch", "heatmap"])
def test_forms_without_measure_are_refused(client: TestClient, route: str, kind: str) -> None:
    def body() -> object:
        content = FORMS[kind].removeprefix(b"\r\n") + END
        for start in range(0, len(content), 65536):
            yield content[start : start + 65536]

    tracemalloc.start()
    try:
        answer = client.post(f"/v1/models/patchcore/{route}", content=body(), headers={"Content-Type": FORM})  # type: ignore[arg-type]  # an iterator
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert answer.status_code in (400, 413) and len(answer.text) < 1000, answer.text
    assert peak < 6 * 2**20


def test_methods_of_clients_are_one_series(models_dir: Path) -> None:
    app = build_app(Settings(models_dir=models_dir, device="cpu"))
    client = TestClient(app)  # not started: no model is needed
    before = len(client.get("/metrics").text.splitlines())
    for number in range(30):
        for path in (
            f"/v1/models/m{number}",
            f"/{number}",
            f"/v2/models/m/versions/{number}",
            f"/docs/assets/{number}",
        ):
            client.request(f"METHOD{number}", path)
            client.get(path)
    text = client.get("/metrics").text
    assert 'method="other"' in text and "METHOD" not in text
    assert len(text.splitlines()) < before + 120  # 4 routes: requests, and the buckets of their latency
