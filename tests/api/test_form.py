"""Forms that are cut off, and file names beyond ASCII."""

import socket
from collections.abc import Callable

import pytest
from starlette.testclient import TestClient

from tests.running import Live

URL = "/v1/models/patchcore/predict"
HEADERS = {"Content-Type": "multipart/form-data; boundary=B"}
OTHER_PART = b'--B\r\nContent-Disposition: form-data; name="images"; filename="b.png"\r\n\r\nb\r\n'
END = b"\r\n--B--\r\n"


def head(disposition: str, field: str = "image") -> bytes:
    return f'--B\r\nContent-Disposition: form-data; name="{field}"; {disposition}\r\n\r\n'.encode()


HEAD = head('filename="a.png"')


def cuts(picture: bytes) -> dict[str, bytes]:
    """Incomplete forms by what they lack."""
    whole = HEAD + picture + END
    return {
        "everything": b"",
        "first boundary": b"--",
        "header's end": whole[:30],
        "headers' end": HEAD[:-2],
        "file": HEAD,
        "end of the file": whole[: len(HEAD) + 100],
        "last boundary": HEAD + picture + b"\r\n",
        "last boundary and line break": HEAD + picture,
        "end of the last boundary": HEAD + picture + b"\r\n--B",
        "last hyphen": HEAD + picture + b"\r\n--B-",
        "part after a boundary": HEAD + picture + b"\r\n--B\r\n",
        "file of a later part": HEAD + picture + b"\r\n" + OTHER_PART[:-3],
    }


@pytest.mark.parametrize("lack", cuts(b""))
@pytest.mark.parametrize("route", ["predict", "heatmap", "anomaly-map", "predict-batch"])
def test_an_incomplete_form_is_refused_as_incomplete(
    client: TestClient, normal_png: bytes, route: str, lack: str
) -> None:
    answer = client.post(f"/v1/models/patchcore/{route}", content=cuts(normal_png)[lack], headers=HEADERS)
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_request"), answer.text
    assert "incomplete" in answer.json()["detail"] and "closing boundary" in answer.json()["detail"]


@pytest.mark.parametrize("end", [END, END[:-2], END + b"\r\nepilogue", b"\r\n--B--  \r\n"])
def test_a_form_is_complete_with_its_last_boundary(client: TestClient, normal_png: bytes, end: bytes) -> None:
    assert client.post(URL, content=HEAD + normal_png + end, headers=HEADERS).status_code == 200


def test_a_complete_form_without_parts_lacks_the_field(client: TestClient) -> None:
    answer = client.post(URL, content=b"--B--\r\n", headers=HEADERS)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "body.image")


def test_a_content_length_that_is_too_small_makes_the_form_incomplete(
    live: Callable[..., Live], normal_png: bytes
) -> None:
    body = HEAD + normal_png + END
    host, port = live().url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        request = f"POST {URL} HTTP/1.1\r\nHost: x\r\nContent-Type: {HEADERS['Content-Type']}\r\n"
        request += f"Connection: close\r\nContent-Length: {len(body) - 20}\r\n\r\n"
        connection.sendall(request.encode() + body[:-20])
        answer = b"".join(iter(lambda: connection.recv(4096), b""))
    assert answer.startswith(b"HTTP/1.1 400 ") and b"Content-Length" in answer


@pytest.mark.parametrize(
    ("disposition", "name"),
    [
        ("filename*=utf-8''%C3%BCber.png", "über.png"),
        ("filename*=UTF-8'de'%C3%BCber%20alles.png", "über alles.png"),
        ("filename*=iso-8859-1''%FCber.png", "über.png"),
        ("FileName* = UTF-8''a.png", "a.png"),
        ("filename*=\"UTF-8''%E5%86%99.png\"", "写.png"),
        ("filename*=plain.png", "plain.png"),
        ("filename*=unknown''%41.png", "A.png"),
        ("filename*=", ""),
        ("filename*=punycode''%FF", ""),
        ("filename*=idna''%C3%BC", ""),
        ("filename*=unicode_escape''%5Cud800.png", "?.png"),
        ("filename*1*x=a; filename*0*=utf-8''b", "b"),
        ("filename*1*=a; filename*x*1=b; filename*=c", ""),
        ("filename=\"uber.png\"; filename*=utf-8''%C3%BCber.png", "über.png"),
        ("filename*=utf-8''%C3%BCber.png; filename=\"uber.png\"", "über.png"),
        ("filename*0*=utf-8''%C3%BC; filename*1=\"ber.png\"", "über.png"),
        ('filename*0="uber"; filename*1=".png"', "uber.png"),
        ('filename="a; filename*=b.png"', "a; filename*=b.png"),
        ('filename="über.png"', "über.png"),
    ],
)
def test_a_part_with_any_file_name_is_a_file(
    client: TestClient, normal_png: bytes, disposition: str, name: str
) -> None:
    body = head(disposition, "images") + normal_png + END
    answer = client.post(f"{URL}-batch", content=body, headers=HEADERS)
    assert answer.status_code == 200, answer.text
    (item,) = answer.json()["items"]
    assert (item["file"], "prediction" in item) == (name, True)
    single = client.post(URL, content=head(disposition) + normal_png + END, headers=HEADERS)
    assert single.status_code == 200, single.text


@pytest.mark.parametrize("route", ["predict", "predict-batch"])
@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("threshold", "'threshold' is a query parameter; send it in the URL, as ?threshold=..."),
        ("thresold", "no form field 'thresold'; 'threshold' is a query parameter; send it in the URL, as ?threshold"),
        ("imge", "did you mean"),
        ("xyz", "no form field 'xyz'; available: image"),
    ],
)
def test_a_query_parameter_in_the_form_belongs_in_the_url(
    client: TestClient, normal_png: bytes, route: str, name: str, words: str
) -> None:
    field = "image" if route == "predict" else "images"
    answer = client.post(URL.replace("predict", route), files={field: normal_png}, data={name: "1"})
    assert answer.status_code == 422 and words in answer.json()["detail"]


def test_a_form_with_a_parameter_only_says_where_it_belongs(client: TestClient) -> None:
    answer = client.post(URL, files={"thresold": b"1"})
    assert answer.status_code == 422
    assert "no field 'image', but 'thresold'" in answer.json()["detail"]
    assert "query parameter 'threshold' in the URL" in answer.json()["detail"]
