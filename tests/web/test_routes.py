"""The files of the page, over HTTP."""

import re
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from app.application import build_app
from app.settings import Settings


@pytest.fixture
def client(tmp_path: Path) -> TestClient:
    (tmp_path / "examples").mkdir()
    (tmp_path / "examples/plate.png").write_bytes(b"a picture")
    (tmp_path / "examples/.hidden.png").write_bytes(b"hidden")
    (tmp_path / "examples/notes.txt").write_text("no picture")
    (tmp_path / "secret.png").write_bytes(b"secret")
    return TestClient(build_app(Settings(models_dir=tmp_path, examples_dir=tmp_path / "examples", device="cpu")))


def test_the_page_may_load_nothing_from_other_sites(client: TestClient) -> None:
    answer = client.get("/")
    assert answer.status_code == 200 and answer.headers["content-type"] == "text/html; charset=utf-8"
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'self'" in policy and "unsafe" not in policy and "http" not in policy
    assert not re.search(r'(?:src|href)="(?:https?:)?//', answer.text)


def test_the_page_is_revalidated_and_its_files_are_cached(client: TestClient) -> None:
    page = client.get("/")
    assert page.headers["Cache-Control"] == "no-cache"
    assert client.get("/", headers={"If-None-Match": page.headers["ETag"]}).status_code == 304
    links = re.findall(r'(?:src|href)="(page/files/[^"]+)"', page.text)
    assert len(links) >= 5
    for link in links:
        answer = client.get(f"/{link}")
        assert answer.status_code == 200 and "immutable" in answer.headers["Cache-Control"]
    assert client.get("/page/files/0000/main.js").status_code == 404


def test_every_module_that_is_imported_is_served(client: TestClient) -> None:
    (start,) = re.findall(r'src="(page/files/[^"]+/main\.js)"', client.get("/").text)
    waiting, seen = [start], set[str]()
    while waiting:
        path = waiting.pop()
        if path in seen:
            continue
        seen.add(path)
        answer = client.get(f"/{path}")
        assert answer.status_code == 200, path
        links = re.findall(r'(?:from|import|new URL\()\s*"(\.[^"]+)"', answer.text)
        waiting += [str(Path("/", path).parent.joinpath(link).resolve())[1:] for link in links]
    assert len(seen) > 25


def test_only_pictures_of_the_directory_are_offered(client: TestClient) -> None:
    assert client.get("/page/examples").json() == {"examples": ["plate.png"]}
    assert client.get("/page/examples/plate.png").content == b"a picture"
    for name in ("notes.txt", ".hidden.png", "..%2Fsecret.png", "../secret.png", "nothing.png"):
        assert client.get(f"/page/examples/{name}").status_code == 404


def test_without_a_directory_there_are_no_examples(tmp_path: Path) -> None:
    client = TestClient(build_app(Settings(models_dir=tmp_path, examples_dir=tmp_path / "none", device="cpu")))
    assert client.get("/page/examples").json() == {"examples": []}
