"""Results of jobs elsewhere than in the folder of jobs."""

from collections.abc import Callable
from pathlib import Path

import pytest

from app.errors import InvalidJobs
from tests.buckets import KEY, SECRET, Bucket
from tests.jobs.conftest import Client, pixels
from tests.waiting import wait_until

NAMES = ["map.tif", "mask.tif", "overlay.tif", "result.json"]


@pytest.fixture(params=["folder", "bucket"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The value of `jobs_results`."""
    if request.param == "bucket":
        bucket: Bucket = request.getfixturevalue("bucket")
        return bucket.url
    (tmp_path / "results").mkdir()
    return str(tmp_path / "results")


def found(place: str, request: pytest.FixtureRequest) -> list[str]:
    """The files of results."""
    if place.startswith("s3://"):
        bucket: Bucket = request.getfixturevalue("bucket")
        return bucket.files()
    return sorted(str(path.relative_to(place)) for path in Path(place).rglob("*") if path.is_file())


def expire(client: Client) -> None:
    client.http.app.state.services.jobs.expire()  # type: ignore[attr-defined]  # starlette types it as any ASGI


def test_results_are_stored_and_served_from_there_until_they_are_deleted(
    place: str,
    picture: bytes,
    serving: Callable[..., Client],
    tmp_path: Path,
    request: pytest.FixtureRequest,
    caplog: pytest.LogCaptureFixture,
) -> None:
    client = serving(jobs_results=place)
    id = client.upload(picture)
    assert client.ended(id)["state"] == "done"
    assert found(place, request) == [f"{id}/0/{name}" for name in NAMES]
    assert [path.name for path in (tmp_path / "jobs/jobs" / id).rglob("*") if path.is_file()] == []
    result = client.get(f"{id}/pictures/0/result")
    assert result.json()["label"] == "anomalous"
    tag = result.headers["ETag"]
    assert client.get(f"{id}/pictures/0/result", **{"If-None-Match": tag}).status_code == 304
    whole = client.get(f"{id}/pictures/0/files/mask")
    assert whole.headers["Content-Length"] == str(len(whole.content)) and pixels(whole.content).shape == (260, 200)
    for header, part in (
        ("bytes=8-99", whole.content[8:100]),
        ("bytes=90-", whole.content[90:]),
        ("bytes=-7", whole.content[-7:]),
    ):
        answer = client.get(f"{id}/pictures/0/files/mask", Range=header)
        assert (answer.status_code, answer.content) == (206, part)
    assert client.get(f"{id}/pictures/0/files/mask", Range="bytes=99999999-").status_code == 416
    assert client.get(f"{id}/pictures/0/files/mask", Range="bytes=0-1,5-6").content == whole.content
    assert client.get(f"{id}/pictures/0/files/mask", Range="bytes=0-1", **{"If-Range": '"other"'}).status_code == 200
    assert pixels(client.get(f"{id}/pictures/0/tiles/overlay/1/0/0").content).shape == (130, 100, 3)
    assert client.delete(id).status_code == 204
    expire(client)
    assert found(place, request) == []
    for secret in (KEY, SECRET):
        assert secret not in caplog.text


def test_expired_results_are_removed(bucket: Bucket, picture: bytes, serving: Callable[..., Client]) -> None:
    client = serving(jobs_results=bucket.url, jobs_expiry_s=1)
    id = client.upload(picture)
    client.ended(id)

    def expired() -> bool:
        expire(client)
        return client.get(id).json().get("state") in ("expired", None)

    wait_until(expired)
    expire(client)
    assert bucket.files() == []


def test_results_that_cannot_be_stored_are_stored_later_and_unavailable_while_the_bucket_is_away(
    bucket: Bucket,
    picture: bytes,
    serving: Callable[..., Client],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr("app.jobs.picture_runner.RESULT_PAUSES_S", (0.2,) * 100)
    client = serving(jobs_results=bucket.url)
    bucket.server.stop()
    try:
        id = client.upload(picture)
        wait_until(lambda: f"the results of job {id} cannot be stored in {bucket.url}" in caplog.text)
        assert client.get(f"{id}/pictures/0/result").json()["code"] == "job_not_done"
    finally:
        bucket.server.start()
    assert client.ended(id)["state"] == "done"
    bucket.server.stop()
    try:
        for path in ("result", "files/mask", "tiles/mask/0/0/0"):
            answer = client.get(f"{id}/pictures/0/{path}")
            assert (answer.status_code, answer.json()["code"]) == (503, "results_unavailable")
            assert "Retry-After" in answer.headers
    finally:
        bucket.server.start()
    assert client.get(f"{id}/pictures/0/result").status_code == 200


def test_results_that_stay_unstored_fail_the_picture(
    bucket: Bucket, picture: bytes, serving: Callable[..., Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.jobs.picture_runner.RESULT_PAUSES_S", (0.1,))
    client = serving(jobs_results=bucket.url)
    bucket.server.stop()
    try:
        problem = client.ended(client.upload(picture))["pictures"][0]["error"]
    finally:
        bucket.server.start()
    assert problem["code"] == "insufficient_storage"
    assert f"cannot be stored in {bucket.url} (it cannot be reached), tried 2 times" in str(problem)


def test_a_folder_that_is_missing_is_refused(tmp_path: Path, serving: Callable[..., Client]) -> None:
    with pytest.raises(InvalidJobs, match="jobs_results"):
        serving(jobs_results=tmp_path / "nowhere")
