"""Pictures sent as the body itself, or as a file in a form."""

import io
import tempfile
from pathlib import Path
from typing import BinaryIO

import pytest
from PIL import Image
from starlette.testclient import TestClient

URL = "/v1/models/patchcore/predict"


@pytest.mark.parametrize(
    "content_type", ["image/png", "IMAGE/PNG", "application/octet-stream", "image/png; name=a.png", None]
)
def test_the_body_itself_may_be_the_picture(client: TestClient, defect_png: bytes, content_type: str | None) -> None:
    headers = {} if content_type is None else {"Content-Type": content_type}
    raw = client.post(URL, content=defect_png, headers=headers)
    assert raw.status_code == 200, raw.text
    form = client.post(URL, files={"image": defect_png}).json()
    assert {**raw.json(), "timing_ms": None} == {**form, "timing_ms": None}


@pytest.mark.parametrize(
    "content_type",
    [
        *(
            "image/jpg",
            "image/pjpeg",
            "image/x-png",
            "image/apng",
            "image/x-ms-bmp",
            "image/x-windows-bmp",
            "image/tif",
        ),
        *("Image/TIF; q=1", "image/x-tiff", "image/gif", "image/*", "image/vnd.maker.raw", "binary/octet-stream"),
        *("application/x-octet-stream", "Application/Octet-Stream; charset=binary", "application/binary"),
    ],
)
@pytest.mark.parametrize("format", ["PNG", "BMP"])
def test_the_bytes_decide_whatever_the_type_is(
    client: TestClient, defect_png: bytes, content_type: str, format: str
) -> None:
    file = io.BytesIO()
    Image.open(io.BytesIO(defect_png)).save(file, format)
    answer = client.post(URL, content=file.getvalue(), headers={"Content-Type": content_type})
    assert answer.status_code == 200 and answer.json()["label"] == "anomalous", answer.text


def test_bytes_of_an_unsupported_format_are_refused_whatever_the_type_is(client: TestClient) -> None:
    for content_type in ("image/png", "image/gif", "application/octet-stream"):
        answer = client.post(URL, content=b"GIF89a" + bytes(20), headers={"Content-Type": content_type})
        assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_image")


@pytest.mark.parametrize("route", ["heatmap", "anomaly-map"])
def test_files_are_the_same_for_a_raw_body_and_a_form(client: TestClient, defect_png: bytes, route: str) -> None:
    url = f"/v1/models/patchcore/{route}"
    raw = client.post(url, content=defect_png, headers={"Content-Type": "image/png"})
    assert raw.content == client.post(url, files={"image": defect_png}).content


@pytest.mark.parametrize("format", ["JPEG", "WEBP", "BMP", "TIFF"])
def test_all_formats_may_be_the_body(client: TestClient, defect_png: bytes, format: str) -> None:
    file = io.BytesIO()
    Image.open(io.BytesIO(defect_png)).save(file, format)
    headers = {"Content-Type": f"image/{format.lower()}"}
    assert client.post(URL, content=file.getvalue(), headers=headers).json()["label"] == "anomalous"


@pytest.mark.parametrize("content_type", ["application/json", "application/x-www-form-urlencoded", "video/png", ""])
def test_other_content_types_are_refused_with_the_accepted_ones(
    client: TestClient, defect_png: bytes, content_type: str
) -> None:
    answer = client.post(URL, content=defect_png, headers={"Content-Type": content_type})
    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type")
    for taken in ("multipart/form-data", "image/png", "application/octet-stream"):
        assert taken in answer.json()["detail"] and taken in answer.headers["accept"]


def test_an_empty_body_is_refused(client: TestClient) -> None:
    answer = client.post(URL, headers={"Content-Type": "image/png"})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_image")


def test_form_without_the_field_is_refused(client: TestClient, defect_png: bytes) -> None:
    answer = client.post(URL, files={"picture": defect_png})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
    (error,) = answer.json()["errors"]
    assert error["field"] == "body.image" and "no field" in error["message"] and "'picture'" in error["message"]


def test_other_fields_of_a_form_are_refused_by_name(client: TestClient, defect_png: bytes) -> None:
    for route, field in (("predict", "image"), ("heatmap", "image"), ("predict-batch", "images")):
        for name, words in (("threshold", "?threshold=..."), ("imagee", f"'{field}'"), ("submit", f": {field}")):
            files: dict[str, tuple[str | None, bytes]] = {field: ("a.png", defect_png), name: (None, b"0.3")}
            answer = client.post(f"/v1/models/patchcore/{route}", files=files)
            assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
            (error,) = answer.json()["errors"]
            assert error["field"] == f"body.{name}" and words in error["message"]


def test_text_instead_of_a_file_is_refused(client: TestClient) -> None:
    answer = client.post(URL, files={"image": (None, "a.png")})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
    (error,) = answer.json()["errors"]
    assert error["field"] == "body.image" and "text" in error["message"]


def test_several_files_are_refused_with_the_route_that_accepts_them(client: TestClient, defect_png: bytes) -> None:
    answer = client.post(URL, files=[("image", defect_png), ("image", defect_png)])
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
    assert "predict-batch" in answer.json()["detail"]


def test_form_that_cannot_be_read_is_refused(client: TestClient) -> None:
    answer = client.post(URL, content=b"image=1", headers={"Content-Type": "multipart/form-data"})
    assert answer.status_code == 400


@pytest.mark.parametrize("form", [False, True])
def test_an_upload_that_cannot_be_stored_is_refused_as_such(
    client: TestClient, form: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(**_: object) -> BinaryIO:
        return Path("/dev/full").open("w+b")

    monkeypatch.setattr(tempfile, "TemporaryFile", full)
    data = bytes(3 << 20)
    answer = client.post(URL, files={"image": data}) if form else client.post(URL, content=data)
    assert (answer.status_code, answer.json()["code"]) == (507, "insufficient_storage")
    assert "No space left" in answer.json()["detail"] and "TMPDIR" in answer.json()["detail"]
