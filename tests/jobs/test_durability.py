"""Accepted jobs survive SIGKILL, and what they may take is bounded: space, number, time."""

import io
import shutil
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import httpx2
import pytest
from PIL import Image
from starlette.testclient import TestClient

from app.application import build_app
from app.ending import ExitStatus
from app.errors import InvalidJobs
from app.keys import ApiKey, Scope, digest_of, write_keys
from app.settings import Settings
from app.store import DatabaseAddress, JobFolders, JobTable
from benchmarks.jobs import Setting, killed
from tests.conftest import draw_surface
from tests.jobs.conftest import Client, drawn
from tests.repositories import add_version
from tests.running import running
from tests.waiting import wait_until


def jobs_of(client: Client):  # type: ignore[no-untyped-def]  # starlette types the application as any ASGI
    return client.http.app.state.services.jobs  # type: ignore[attr-defined]


def opened(folder: Path) -> JobTable:
    return JobTable(DatabaseAddress.of_file(folder / "jobs.sqlite"), JobFolders(folder))


def held(client: Client, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Stops jobs before their first picture; the returned function lets them go on."""
    free: list[bool] = []
    leases = jobs_of(client)._leases
    check = leases.check

    def wait(id: str) -> None:
        while not free:
            check(id)
            time.sleep(0.005)
        check(id)

    monkeypatch.setattr(leases, "check", wait)
    return lambda: free.append(True)


def test_a_killed_server_goes_on_with_its_jobs(models_dir: Path, tmp_path: Path) -> None:
    add_version(models_dir / "patchcore/1", tmp_path / "models", "patchcore", 1)
    picture = draw_surface(7, 700, 500)
    picture[300:330, 100:140] = (255, 0, 0)
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "TIFF")
    faults, rows = killed(Setting(tmp_path / "models", "patchcore", file.getvalue(), tmp_path / "jobs"), 1, 5)
    assert not faults and len(rows) == 1


def test_a_job_goes_on_after_a_stop(
    serving: Callable[..., Client], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = serving()
    held(first, monkeypatch)
    id = first.upload(drawn())
    wait_until(lambda: first.get(id).json()["state"] == "running")
    first.http.__exit__()
    second = serving()
    assert second.ended(id)["state"] == "done"
    assert second.get(f"{id}/pictures/0/result").json()["regions"]


def test_cancel_stops_the_work_and_frees_the_space(
    serving: Callable[..., Client], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = serving()
    bands: list[int] = []
    report = jobs_of(client)._leases.check
    id = ""

    def check(job: str) -> None:
        bands.append(1)
        if len(bands) == 3:  # in the middle of the picture
            assert client.delete(id).json()["state"] == "cancelled"
        report(job)

    picture = drawn()
    made = client.make({"name": "a.tif", "length": len(picture)})
    id = made.json()["id"]
    monkeypatch.setattr(jobs_of(client)._leases, "check", check)
    client.send(id, picture, 0)
    wait_until(lambda: not (tmp_path / "jobs" / "jobs" / id).exists())
    assert len(bands) == 3
    job = client.get(id).json()
    assert (job["state"], job["pictures"][0]["state"]) == ("cancelled", "cancelled")
    assert client.get(f"{id}/pictures/0/result").json()["code"] == "job_not_done"
    assert client.delete(id).status_code == 204
    assert client.get(id).json()["code"] == "job_not_found"


def test_a_full_disk_is_an_error_at_admission(serving: Callable[..., Client], monkeypatch: pytest.MonkeyPatch) -> None:
    client, picture = serving(), drawn()
    free = len(picture) + 1000
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(10**12, 0, free))
    refused = client.make({"name": "a.tif", "length": free + 1})
    assert (refused.status_code, refused.json()["code"]) == (507, "insufficient_storage")
    assert "jobs_dir" in refused.json()["detail"] and "Retry-After" in refused.headers
    id = client.make({"name": "a.tif", "length": len(picture)}).json()["id"]
    second = client.make({"name": "b.tif", "length": len(picture)})
    assert second.json()["code"] == "insufficient_storage"  # the first one's space is promised
    sent = client.send(id, picture, 0)
    assert sent.json()["code"] == "insufficient_storage"  # its results need more
    assert client.get(id).json()["state"] == "uploading"
    free = 10**12
    assert client.send(id, b"", len(picture)).status_code == 204
    assert client.ended(id)["state"] == "done"


def test_a_job_leaves_nothing_but_its_results(serving: Callable[..., Client], tmp_path: Path) -> None:
    client = serving()
    id = client.upload(drawn())
    client.ended(id)
    files = {path.name for path in (tmp_path / "jobs" / "jobs" / id).rglob("*") if path.is_file()}
    assert files == {"result.json", "overlay.tif", "mask.tif", "map.tif"}


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("keys") / "keys.json"
    now = datetime.now(UTC)
    write_keys(
        path,
        [
            ApiKey(name, Scope.admin if name == "boss" else Scope.predict, digest_of(f"secret-{name}"), now)
            for name in ("one", "other", "boss")
        ],
    )
    return path


def test_keys_have_quotas_and_see_their_own_jobs(serving: Callable[..., Client], keys: Path) -> None:
    whole = serving(keys_file=keys, jobs_per_key=2, jobs_bytes_per_key=10**6)
    one, other, boss = (
        Client(whole.http, {"Authorization": f"Bearer secret-{name}"}) for name in ("one", "other", "boss")
    )
    large = one.make({"name": "a.tif", "length": 10**6 + 1})
    assert (large.status_code, large.json()["code"]) == (413, "job_too_large")
    first = one.make({"name": "a.tif", "length": 600_000}).json()["id"]
    too_much = one.make({"name": "a.tif", "length": 600_000})
    assert (too_much.status_code, too_much.json()["code"]) == (429, "job_quota")
    assert "jobs_bytes_per_key" in too_much.json()["detail"] and int(too_much.headers["Retry-After"]) > 3600
    second = one.make({"name": "a.tif", "length": 1000}).json()["id"]
    assert "jobs_per_key" in one.make({"name": "a.tif", "length": 1}).json()["detail"]
    assert other.make({"name": "a.tif", "length": 1}).status_code == 201
    assert other.get(first).json()["code"] == "job_not_found"
    assert other.send(first, b"x", 0).status_code == 404 and other.delete(first).status_code == 404
    assert {each["id"] for each in one.get("").json()["jobs"]} == {first, second}
    assert len(boss.get("").json()["jobs"]) == 3 and boss.get(first).status_code == 200
    assert one.delete(first).json()["state"] == "cancelled"
    assert one.make({"name": "a.tif", "length": 600_000}).status_code == 201  # cancelling makes room
    assert whole.http.get("/v1/jobs").status_code == 401


def test_results_and_then_the_entry_expire(serving: Callable[..., Client], tmp_path: Path) -> None:
    client = serving()
    id, left = client.upload(drawn()), client.make({"name": "a.tif", "length": 10}).json()["id"]
    client.ended(id)
    jobs, now = jobs_of(client), time.time()
    jobs._clock = lambda: now + 6.9 * 86400
    jobs.expire()
    assert client.get(id).json()["state"] == "done"
    jobs._clock = lambda: now + 7.1 * 86400
    jobs.expire()
    assert [client.get(each).json()["state"] for each in (id, left)] == ["expired", "expired"]
    assert not list((tmp_path / "jobs" / "jobs").iterdir())
    assert client.get(f"{id}/pictures/0/result").json()["code"] == "job_not_done"
    jobs._clock = lambda: now + 15 * 86400
    jobs.expire()
    assert client.get(id).json()["code"] == "job_not_found"


def test_a_picture_that_ends_the_server_each_time_fails(
    serving: Callable[..., Client], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = serving()
    held(first, monkeypatch)
    id = first.upload(drawn())
    wait_until(lambda: first.get(id).json()["state"] == "running")
    first.http.__exit__()
    table = opened(tmp_path / "jobs")
    table.change(id, starts=3)  # as if it had been killed while it worked on the picture, three times
    table.change_picture(id, 0, state="running")
    table.close()
    begun: list[object] = []
    monkeypatch.setattr("app.jobs.picture_runner.work", lambda *given: begun.append(given))
    job = serving().ended(id)
    assert job["state"] == "failed" and "was begun 4 times" in job["pictures"][0]["error"]["message"]
    assert not begun


def test_a_version_that_was_replaced_is_not_used(
    serving: Callable[..., Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    client = serving()
    go_on = held(client, monkeypatch)
    id = client.make({"name": "a.tif", "length": len(drawn())}).json()["id"]
    jobs_of(client)._table.change(id, digest="0" * 64)
    client.send(id, drawn(), 0)
    go_on()
    assert client.ended(id)["pictures"][0]["error"]["code"] == "version_not_found"


def test_one_server_uses_a_folder(serving: Callable[..., Client], models_dir: Path, tmp_path: Path) -> None:
    serving()
    with pytest.raises(InvalidJobs, match="another server"):
        build_app(Settings(models_dir=models_dir, device="cpu", jobs_dir=tmp_path / "jobs"))


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "jobs.sqlite").write_bytes(b"no database" * 1000)
    with pytest.raises(InvalidJobs, match="move it away"):
        opened(tmp_path)


def test_without_a_folder_the_server_takes_no_jobs(models_dir: Path) -> None:
    with TestClient(build_app(Settings(models_dir=models_dir, device="cpu"))) as client:
        answer = client.get("/v1/jobs")
    assert (answer.status_code, answer.json()["code"]) == (404, "jobs_unavailable")


def test_clients_that_follow_a_job_do_not_keep_the_server(models_dir: Path, tmp_path: Path) -> None:
    settings = Settings(models_dir=models_dir, device="cpu", jobs_dir=tmp_path, jobs_free_bytes=0)
    with running(settings) as live, httpx2.Client(base_url=live.url, timeout=60) as client:
        body = {"model": "patchcore", "pictures": [{"name": "a.tif", "length": 10}]}
        id = client.post("/v1/jobs", json=body).json()["id"]
        with client.stream("GET", f"/v1/jobs/{id}/events") as answer:
            lines = answer.iter_lines()
            assert next(lines).startswith("id: ")
            live.server.should_exit = True
            started = time.monotonic()
            assert list(lines)  # the rest of the first event, and then the end
            assert time.monotonic() - started < settings.shutdown_grace_s
    assert live.server.status == ExitStatus.answered
