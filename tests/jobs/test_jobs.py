"""Jobs over HTTP: from uploads and paths to results."""

import io
import json
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.jobs.conftest import Client, pixels


def test_an_uploaded_picture_has_the_result_of_predict(jobs: Client, picture: bytes) -> None:
    job = jobs.ended(jobs.upload(picture, min_region_area=4))
    assert job["state"] == "done" and job["pictures"][0]["regions_found"] >= 1
    answer = jobs.get(f"{job['id']}/pictures/0/result")
    expected = jobs.http.post("/v1/models/patchcore/predict?min_region_area=4", files={"image": picture}).json()
    found = answer.json()
    assert found.pop("timing_ms") and expected.pop("timing_ms")
    assert found.pop("score") == pytest.approx(expected.pop("score"), abs=1e-5)
    assert found.pop("raw_score") == pytest.approx(expected.pop("raw_score"), rel=1e-5)
    for one, other in zip(found["regions"], expected["regions"], strict=True):
        assert one.pop("score") == pytest.approx(other.pop("score"), abs=1e-5)
    assert found == expected and len(found["regions"]) >= 2


def test_a_picture_below_the_opened_folder_needs_no_upload(jobs: Client) -> None:
    made = jobs.make({"path": "lot/a.tif"}).json()
    assert made["state"] == "queued" and made["pictures"][0]["name"] == "a.tif"
    assert (made["pictures"][0]["width"], made["pictures"][0]["height"]) == (200, 260)
    assert jobs.ended(made["id"])["state"] == "done"


@pytest.mark.parametrize(
    "path", ["../outside.tif", "/etc/passwd", "link.tif", "out/outside.tif", "lot", "none.tif", "lot/../../outside.tif"]
)
def test_a_path_cannot_leave_the_opened_folder(jobs: Client, path: str) -> None:
    answer = jobs.make({"path": path})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_path")


def test_an_upload_goes_on_where_it_broke_off(jobs: Client, picture: bytes) -> None:
    id = jobs.make({"name": "a.tif", "length": len(picture)}).json()["id"]
    first = jobs.send(id, picture[:1000], 0, 0, **{"Tus-Resumable": "1.0.0"})
    assert (first.status_code, first.headers["Upload-Offset"]) == (204, "1000")
    again = jobs.send(id, picture[:1000], 0)
    assert (again.status_code, again.json()["code"]) == (409, "upload_conflict")
    head = jobs.http.head(f"/v1/jobs/{id}/pictures/0")
    assert (head.headers["Upload-Offset"], head.headers["Upload-Length"]) == ("1000", str(len(picture)))
    assert head.headers["Tus-Resumable"] == "1.0.0" and head.headers["Cache-Control"] == "no-store"
    assert jobs.send(id, picture[1000:] + b"more", 1000).status_code == 409
    offset = int(jobs.http.head(f"/v1/jobs/{id}/pictures/0").headers["Upload-Offset"])
    assert jobs.send(id, picture[offset:], offset).status_code == 204
    assert jobs.ended(id)["state"] == "done"


@pytest.mark.parametrize(("data", "code"), [(b"no picture at all", "damaged_image"), (b"%PDF-1.7\n", "damaged_image")])
def test_an_upload_that_is_no_picture_is_refused(jobs: Client, data: bytes, code: str) -> None:
    id = jobs.make({"name": "a [1].tif", "length": len(data)}).json()["id"]
    answer = jobs.send(id, data, 0)
    assert answer.json()["code"] == code and "a [1].tif" in answer.json()["detail"]
    job = jobs.ended(id)
    assert (job["state"], job["pictures"][0]["error"]["code"]) == ("failed", code)


def test_a_damaged_picture_does_not_stop_the_others(jobs: Client, picture: bytes) -> None:
    cut = picture[: len(picture) // 2]
    id = jobs.make(
        *({"name": f"{number}.tif", "length": len(each)} for number, each in enumerate((cut, picture)))
    ).json()["id"]
    jobs.send(id, cut, 0, 0)
    jobs.send(id, picture, 0, 1)
    job = jobs.ended(id)
    assert [each["state"] for each in job["pictures"]] == ["failed", "done"] and job["state"] == "failed"
    refused = jobs.get(f"{id}/pictures/0/result")
    assert (refused.status_code, refused.json()["code"]) == (409, "job_not_done")
    assert jobs.get(f"{id}/pictures/1/result").json()["label"] == "anomalous"


def test_pyramids_are_files_with_ranges_and_tags(jobs: Client, picture: bytes) -> None:
    id = jobs.upload(picture)
    jobs.ended(id)
    whole = jobs.get(f"{id}/pictures/0/files/mask")
    assert whole.headers["Content-Type"] == "image/tiff" and pixels(whole.content).shape == (260, 200)
    tag = whole.headers["ETag"]
    part = jobs.get(f"{id}/pictures/0/files/mask", Range="bytes=8-99", **{"If-Range": tag})
    assert (part.status_code, part.content) == (206, whole.content[8:100])
    assert jobs.get(f"{id}/pictures/0/files/mask", **{"If-None-Match": tag}).status_code == 304
    assert jobs.get(f"{id}/pictures/0/files/mask", **{"If-None-Match": '"other"'}).status_code == 200


def test_tiles_show_the_pyramid(jobs: Client) -> None:
    id = jobs.make({"path": "lot/a.tif"}).json()["id"]
    jobs.ended(id)
    pyramid = jobs.get(f"{id}/pictures/0/pyramid").json()
    assert (pyramid["width"], pyramid["height"], pyramid["tile"]) == (200, 260, 256) and pyramid["levels"] >= 2
    mask = pixels(jobs.get(f"{id}/pictures/0/files/mask").content)
    rows = [pixels(jobs.get(f"{id}/pictures/0/tiles/mask/0/0/{y}").content) for y in range(2)]
    assert (np.concatenate(rows) == mask).all() and mask.any()
    overlay = jobs.get(f"{id}/pictures/0/tiles/overlay/1/0/0")
    assert overlay.headers["Content-Type"] == "image/jpeg" and pixels(overlay.content).shape == (130, 100, 3)
    for wrong in ("9/0/0", "0/1/0", "0/0/2"):
        answer = jobs.get(f"{id}/pictures/0/tiles/mask/{wrong}")
        assert (answer.status_code, answer.json()["code"]) == (404, "job_not_found")


def test_events_tell_progress_and_each_region_once(jobs: Client, picture: bytes) -> None:
    id = jobs.upload(picture)
    events = [
        dict(line.split(": ", 1) for line in text.splitlines())
        for text in jobs.get(f"{id}/events").text.split("\n\n")
        if text and not text.startswith(":")
    ]
    kinds = [each["event"] for each in events]
    assert json.loads(events[-1]["data"]) == {"state": "done"} and {"state", "picture", "progress", "regions"} <= {
        *kinds
    }
    regions = [each for event in events if event["event"] == "regions" for each in json.loads(event["data"])["regions"]]
    result = jobs.get(f"{id}/pictures/0/result").json()["regions"]
    assert regions and all(each in result for each in regions)
    assert jobs.get(f"{id}/pictures/0/regions").json()["regions"] == regions
    later = jobs.get(f"{id}/events", **{"Last-Event-ID": events[-2]["id"]}).text
    assert later.startswith(f"id: {events[-1]['id']}\n") and later.count("id: ") == 1


def test_a_region_of_interest_outside_the_picture_is_refused(jobs: Client) -> None:
    answer = jobs.make({"path": "lot/a.tif"}, roi={"x": 100, "y": 0, "width": 200, "height": 20})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_region")


@pytest.mark.parametrize(
    ("body", "word"),
    [
        ({"pictures": []}, "pictures"),
        ({"pictures": [{"path": "a", "length": 1}]}, "either path or length"),
        ({"pictures": [{"length": 1}], "treshold": 0.4}, "treshold"),
        ({"pictures": [{"length": 0}]}, "length"),
    ],
)
def test_what_a_job_cannot_be_is_said(jobs: Client, body: dict[str, object], word: str) -> None:
    answer = jobs.http.post("/v1/jobs", json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request") and word in answer.json()["detail"]


def test_a_body_that_is_too_long_is_refused(jobs: Client) -> None:
    assert jobs.http.post("/v1/jobs", content=b" " * (2**20 + 1)).json()["code"] == "too_many_bytes"


def test_without_libvips_the_extra_is_named(jobs: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyvips", None)  # stands for a package that is not installed
    answer = jobs.make({"path": "lot/a.tif"})
    assert answer.json()["code"] == "jobs_unavailable" and "pyvips[binary]" in answer.json()["detail"]


def test_a_picture_that_takes_too_much_memory_is_refused(
    jobs: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = io.BytesIO()
    Image.new("RGB", (3000, 3000)).save(file, "TIFF")
    memory = jobs.http.app.state.services.predictor._budgets.memory  # type: ignore[attr-defined]
    monkeypatch.setattr(memory, "share", 2**20)
    id = jobs.make({"name": "wide.tif", "length": len(file.getvalue())}).json()["id"]
    assert jobs.send(id, file.getvalue(), 0).json()["code"] == "too_costly"
    assert jobs.ended(id)["pictures"][0]["error"]["code"] == "too_costly"
