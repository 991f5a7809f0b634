"""The zones of a model over HTTP."""

import json
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
import pytest
from httpx2 import Response
from starlette.testclient import TestClient

from app.application import build_app
from app.artifacts import MirroredRepository, ModelRepository, promote, rollback, verify_artifact
from app.errors import ZonesRefused
from app.remote import RemoteFolder
from app.service.zones import ZoneEditor, ZonesChange
from app.settings import Settings
from tests.conftest import Picture
from tests.repositories import add_version
from tests.running import running
from tests.waiting import wait_until

MODEL = "/v1/models/patchcore"
URL = f"{MODEL}/zones"
STAIN = [[[90, 30], [140, 30], [140, 70], [90, 70], [90, 30]]]  # around the stain of `defect_png`
IMAGE = {"width": 160, "height": 96}


@pytest.fixture
def root(models_dir: Path, tmp_path: Path) -> Path:
    shutil.copytree(models_dir / "patchcore/1", tmp_path / "models/patchcore/1")
    return tmp_path / "models"


@pytest.fixture
def client(root: Path) -> Iterator[TestClient]:
    with TestClient(build_app(Settings(models_dir=root, device="cpu", reload_interval_s=0))) as client:
        wait_until(lambda: client.get("/readyz").status_code == 200)
        yield client


def zones(**properties: Any) -> dict[str, Any]:
    geometry = {"type": "Polygon", "coordinates": STAIN}
    feature = {"type": "Feature", "geometry": geometry, "properties": {"name": "stain", **properties}}
    return {"type": "FeatureCollection", "image": IMAGE, "features": [feature]}


def put(client: TestClient, document: object, tag: str | None = None, query: str = "", **headers: str) -> Response:
    """Sends zones with a tag, by default with the one that a client reads just before."""
    tag = client.get(URL + query).headers["ETag"] if tag is None else tag
    content = document if isinstance(document, bytes) else json.dumps(document).encode()
    named = {"If-Match": tag, "Content-Type": "application/geo+json", **headers}
    return client.put(URL + query, content=content, headers={key: value for key, value in named.items() if value})


def send(client: TestClient, picture: bytes, query: str = "") -> dict[str, Any]:
    answer: dict[str, Any] = client.post(f"{MODEL}/predict{query}", files={"image": picture}).json()
    return answer


def problem(answer: Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


def versions(root: Path) -> list[int]:
    return [entry.version for entry in ModelRepository(root).versions("patchcore")]


def test_zones_are_read_replaced_served_and_rolled_back(client: TestClient, root: Path, defect_png: bytes) -> None:
    empty = client.get(URL)
    assert empty.headers["content-type"] == "application/geo+json" and empty.json()["features"] == []
    assert client.get(URL, headers={"If-None-Match": empty.headers["ETag"]}).status_code == 304
    before = send(client, defect_png)
    answer = put(client, zones(ignore=True))
    written = answer.json()
    assert answer.status_code == 200 and (written["version"], written["source"], written["live"]) == (2, 1, 2)
    assert written["written"] and written["error"] is None
    assert written["zones"] == [{"name": "stain", "threshold": None, "pixel_threshold": None}]
    after = send(client, defect_png)
    assert after["model"]["version"] == 2 and after["raw_score"] < before["raw_score"]
    read = client.get(URL)
    assert read.json() == zones(ignore=True) | {"model": read.json()["model"]} and read.json()["model"]["version"] == 2
    assert read.headers["ETag"] == answer.headers["ETag"]
    assert client.get(f"{URL}?version=1").json()["features"] == []
    weights = [root / "patchcore" / version / "weights.safetensors" for version in ("1", "2")]
    assert weights[0].samefile(weights[1])
    (event,) = ModelRepository(root).history("patchcore")
    assert (event.by, event.source) == ("tessera serve", "patchcore:1")

    rollback(ModelRepository(root), "patchcore", verify_artifact)
    client.post(f"{MODEL}/reload")
    assert client.get(URL).json()["features"] == []
    pinned = put(client, read.json(), query="?version=2").json()  # what was read is taken as it is
    assert (pinned["version"], pinned["source"], pinned["live"]) == (3, 2, 1)
    promote(ModelRepository(root), "patchcore", 3, verify_artifact)
    client.post(f"{MODEL}/reload")
    cleared = put(client, {"type": "FeatureCollection", "features": []}).json()
    assert (cleared["version"], cleared["zones"], cleared["live"]) == (4, [], 3)
    again = put(client, {"type": "FeatureCollection", "features": []}, query="?version=4").json()
    assert (again["version"], again["written"]) == (4, False) and versions(root) == [1, 2, 3, 4]


@pytest.mark.parametrize("name", ["geojson", "labelme"])
def test_the_regions_of_an_answer_are_set_as_zones(client: TestClient, defect_png: bytes, name: str) -> None:
    regions = json.dumps(send(client, defect_png, f"?format={name}"))
    tag = client.get(URL).headers["ETag"]
    refused = client.put(URL, content=regions, headers={"If-Match": tag, "Content-Type": "application/json"})
    assert problem(refused) == (422, "invalid_zones") and "neither that it is ignored" in refused.json()["detail"]
    kind = {"Content-Type": "application/json", "If-Match": tag}
    written = client.put(f"{URL}?ignore=true", content=regions, headers=kind).json()
    assert written["version"] == 2 and written["zones"][0]["threshold"] is None
    empty = {"shapes": [], "imageHeight": 96, "imageWidth": 160}  # such as the answer for a picture without regions
    kept = client.put(f"{URL}?ignore=true", json=empty, headers={"If-Match": "*"})
    assert problem(kept) == (422, "invalid_zones") and "no polygon to ignore" in kept.json()["detail"]


def test_regions_name_the_zone_of_their_peak(
    client: TestClient, root: Path, defect_png: bytes, defect_picture: Picture
) -> None:
    before = send(client, defect_png, "?threshold=0.4")["regions"]
    assert before and not any("zone" in each for each in before)
    document = zones(threshold=0.5, pixel_threshold=0.45)
    document["features"][0]["geometry"]["coordinates"] = [[[80, 0], [160, 0], [160, 96], [80, 96], [80, 0]]]
    assert put(client, document).status_code == 200
    regions = send(client, defect_png, "?threshold=0.4")["regions"]
    inside = [each for each in regions if each["peak"]["x"] >= 80]
    assert inside and all((each.get("zone") == "stain") == (each in inside) for each in regions)
    answers = {
        each: send(client, defect_png, f"?threshold=0.4&format={each}") for each in ("geojson", "coco", "labelme")
    }
    assert [each["properties"].get("zone") for each in answers["geojson"]["features"]].count("stain") == len(inside)
    assert [each.get("zone") for each in answers["coco"]["annotations"]].count("stain") == len(inside)
    assert any(each["description"].endswith(", zone stain") for each in answers["labelme"]["shapes"])
    rows = np.concatenate([defect_picture] * 3).tobytes()
    with running(Settings(models_dir=root, device="cpu")) as live:
        query = {"width": 160, "channels": 3, "threshold": 0.4, "first_row": 10**12}
        stream = httpx2.post(f"{live.url}{MODEL}/stream", params=query, content=rows)
    found = [line for line in map(json.loads, stream.text.splitlines()) if line["type"] == "region"]
    assert any("zone" in line for line in found)
    assert all((line["peak"]["x"] >= 80) == (line.get("zone") == "stain") for line in found)


def test_zones_that_changed_since_they_were_read_are_not_overwritten(client: TestClient, root: Path) -> None:
    tag = client.get(URL).headers["ETag"]
    assert problem(client.put(URL, json=zones(ignore=True))) == (428, "tag_required")
    with ThreadPoolExecutor(2) as threads:
        answers = list(threads.map(lambda n: put(client, zones(ignore=True), tag), range(2)))
    assert sorted(each.status_code for each in answers) == [200, 412] and versions(root) == [1, 2]
    assert problem(put(client, zones(ignore=True), tag)) == (412, "zones_conflict")
    add_version(root / "patchcore/1", root, "patchcore", 3)  # which the server has not seen
    late = put(client, zones(threshold=0.8))
    assert problem(late) == (412, "zones_conflict") and "version 3 of 'patchcore'" in late.json()["detail"]
    client.post(f"{MODEL}/reload")
    assert put(client, zones(threshold=0.8), "*").json()["source"] == 3


POINTS = json.dumps([[n % 160, n % 96] for n in range(100_000)], separators=(",", ":"))
WRONG: list[tuple[object, int, str]] = [
    (zones(), 422, "neither that it is ignored nor its threshold"),
    (zones(threshold=float("nan")), 422, "not a finite number"),
    (zones(threshold=1e308), 422, "ignore the area"),
    (zones(ignore=True, name="a\ud800"), 422, "cannot be shown"),
    (zones(ignore=True) | {"image": {"width": 10**60, "height": 9}}, 422, "edges have 1 to"),
    (json.dumps(zones(ignore=True)).replace(json.dumps(STAIN[0]), POINTS).encode(), 422, "100,000 points"),
    (b"not JSON", 422, "not readable JSON"),
    (b"[" * 2**20, 422, "nested too deeply"),
    (b"[1,2]," * 10**6, 413, "fewer points"),
]


def test_wrong_documents_are_refused_in_one_line(client: TestClient, root: Path) -> None:
    for document, status, message in WRONG:
        refused = put(client, document)
        assert problem(refused) == (status, "invalid_zones" if status == 422 else "too_many_bytes")
        assert message in refused.json()["detail"] and "\n" not in refused.json()["detail"]
    assert versions(root) == [1]


def test_other_media_types_are_refused_with_those_that_are_taken(client: TestClient) -> None:
    for kind in ("text/plain", "application/x-yaml", ""):
        refused = put(client, zones(ignore=True), **{"Content-Type": kind})
        assert problem(refused) == (415, "unsupported_media_type")
        assert refused.headers["Accept"] == "application/geo+json, application/json"


def test_a_version_that_cannot_be_written_is_refused_with_the_reason(
    client: TestClient, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = root / "patchcore/1/weights.safetensors"
    content = weights.read_bytes()
    weights.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    damaged = put(client, zones(ignore=True))
    assert problem(damaged) == (409, "zones_refused") and "digest_mismatch" in damaged.json()["detail"]
    weights.write_bytes(content)

    def refuse(*_: object, **__: object) -> None:
        raise OSError(30, "Read-only file system")

    with monkeypatch.context() as patch:
        patch.setattr("tempfile.TemporaryFile", refuse)
        refused = put(client, zones(ignore=True))
    assert problem(refused) == (409, "zones_refused")
    assert "Read-only file system" in refused.json()["detail"] and str(root) not in refused.json()["detail"]
    assert versions(root) == [1] and not list((root / "patchcore").glob(".*/manifest.json"))

    catalogue = client.app.state.services.catalogue  # type: ignore[attr-defined]
    bucket = MirroredRepository(RemoteFolder("s3://models"), tmp_path / "cache", 2**30)
    change = ZonesChange(json.dumps(zones(ignore=True)).encode(), False, lambda _: True, "")
    with pytest.raises(ZonesRefused, match="do not write to a bucket"):
        ZoneEditor(bucket, catalogue).write("patchcore", None, change)
