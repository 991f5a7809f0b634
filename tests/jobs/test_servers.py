"""Several servers share the jobs of one PostgreSQL database and one folder."""

import io
import logging
import os
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from starlette.testclient import TestClient

from app.application import build_app
from app.errors import JobsDatabaseUnavailable
from app.jobs import Jobs
from app.jobs.work import work
from app.pipeline import read_checkpoint
from app.pipeline.scan import BAND_TILES
from app.settings import Settings
from benchmarks.torture.served import served
from tests.conftest import draw_surface
from tests.jobs.conftest import Client, drawn
from tests.postgresql import PostgreSQL
from tests.waiting import wait_until

LEASE_S = 2.0
MOST_JOBS = 10


@dataclass
class Shared:
    """Two servers, and the settings that they share."""

    one: Client
    two: Client
    folder: Path
    settings: dict[str, object]


def jobs_of(client: Client) -> Jobs:
    jobs: Jobs = client.http.app.state.services.jobs  # type: ignore[attr-defined]
    return jobs


@pytest.fixture(scope="module")
def servers(
    models_dir: Path, tmp_path_factory: pytest.TempPathFactory, database_server: PostgreSQL
) -> Iterator[Shared]:
    root = tmp_path_factory.mktemp("shared")
    (root / "opened").mkdir()
    (root / "opened" / "a.tif").write_bytes(drawn())
    shared: dict[str, object] = {
        "jobs_dir": root / "jobs",
        "jobs_folder": root / "opened",
        "jobs_database": database_server.database(),
        "jobs_lease_s": LEASE_S,
        "jobs_per_key": MOST_JOBS,
        "jobs_free_bytes": 0,
    }
    settings = Settings.model_validate({"models_dir": models_dir, "device": "cpu"} | shared)
    with TestClient(build_app(settings)) as one, TestClient(build_app(settings)) as two:
        wait_until(lambda: all(http.get("/readyz").status_code == 200 for http in (one, two)))
        yield Shared(Client(one, {}), Client(two, {}), root / "jobs", shared)


@pytest.fixture(autouse=True)
def _no_jobs_are_left(servers: Shared) -> Iterator[None]:
    yield
    for job in servers.one.get("").json()["jobs"]:
        while servers.one.delete(job["id"]).status_code == 200:
            pass


def hold(client: Client, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Keeps a server at the next band of its jobs; the returned function lets it go on."""
    free: list[bool] = []
    leases = jobs_of(client)._leases
    check = leases.check

    def wait(id: str) -> None:
        wait_until(lambda: bool(free) or id in leases._lost or leases.stopping)
        check(id)

    monkeypatch.setattr(leases, "check", wait)
    return lambda: free.append(True)


def rest(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keeps a server from taking jobs, until the test ends."""
    monkeypatch.setattr(jobs_of(client)._leases, "claim", lambda: None)


def states(client: Client, id: str) -> list[str]:
    """The states of a job, from its events."""
    text = client.get(f"{id}/events").text
    return [event.split('"state": "')[1].split('"')[0] for event in text.split("\n\n") if "event: state" in event]


def test_each_job_runs_once_and_every_server_shows_it(servers: Shared, monkeypatch: pytest.MonkeyPatch) -> None:
    go_on = hold(servers.one, monkeypatch)
    first = servers.one.make({"path": "a.tif"}).json()["id"]
    wait_until(lambda: servers.two.get(first).json()["state"] == "running")
    others = [client.make({"path": "a.tif"}).json()["id"] for client in (servers.one, servers.two) * 2]
    assert {servers.one.ended(id)["state"] for id in others} == {"done"}
    with ThreadPoolExecutor(1) as thread:  # follows on one server what happens on the other
        followed = thread.submit(states, servers.two, first)
        go_on()
        assert followed.result() == ["queued", "running", "done"]
    for id in (first, *others):
        assert states(servers.one, id) == ["queued", "running", "done"]
        found = [client.get(f"{id}/pictures/0/result").json() for client in (servers.one, servers.two)]
        assert found[0] == found[1] and found[0]["regions"]
    assert {job["id"] for job in servers.two.get("").json()["jobs"]} == {first, *others}


def test_cancel_on_one_server_stops_the_work_on_another(servers: Shared, monkeypatch: pytest.MonkeyPatch) -> None:
    rest(servers.two, monkeypatch)
    hold(servers.one, monkeypatch)
    id = servers.one.make({"path": "a.tif"}).json()["id"]
    wait_until(lambda: servers.two.get(id).json()["state"] == "running")
    assert servers.two.delete(id).json()["state"] == "cancelled"
    wait_until(lambda: not (servers.folder / "jobs" / id).exists())
    assert states(servers.one, id) == ["queued", "running", "cancelled"]
    assert not jobs_of(servers.one)._leases._held


def test_limits_of_a_key_hold_for_all_servers_together(servers: Shared) -> None:
    def make(client: Client) -> int:
        return client.make({"name": "a.tif", "length": 10}).status_code

    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(make, [servers.one, servers.two] * MOST_JOBS))
    assert (found.count(201), found.count(429)) == (MOST_JOBS, MOST_JOBS)


def test_an_upload_goes_on_at_another_server(servers: Shared) -> None:
    picture = drawn()
    id = servers.one.make({"name": "a.tif", "length": len(picture)}).json()["id"]
    assert servers.one.send(id, picture[:1000], 0).headers["Upload-Offset"] == "1000"
    late = jobs_of(servers.one).intake.part(id, 0, None, 1000)  # the client left it, and the server does not know it
    assert servers.two.send(id, picture[1000:], 1000).status_code == 204
    late.write(picture[1000:1500])
    late.close()
    assert servers.one.ended(id)["state"] == "done"


def test_a_server_that_was_cut_off_has_lost_its_job(servers: Shared, monkeypatch: pytest.MonkeyPatch) -> None:
    go_on = hold(servers.one, monkeypatch)
    table = jobs_of(servers.one)._table

    def away(server: str, lease_s: float) -> dict[str, int]:
        raise JobsDatabaseUnavailable("cut off")

    with monkeypatch.context() as cut:
        cut.setattr(jobs_of(servers.two)._leases, "claim", lambda: None)
        id = servers.one.make({"path": "a.tif"}).json()["id"]
        wait_until(lambda: servers.two.get(id).json()["state"] == "running")
        monkeypatch.setattr(table, "renew", away)
    job = servers.two.ended(id)
    assert job["state"] == "done" and id in jobs_of(servers.one)._leases._held
    before = {path.name: path.stat().st_mtime_ns for path in (servers.folder / "jobs" / id).rglob("*")}
    go_on()
    monkeypatch.undo()
    wait_until(lambda: not jobs_of(servers.one)._leases._held)
    assert servers.one.get(id).json() == job
    assert {path.name: path.stat().st_mtime_ns for path in (servers.folder / "jobs" / id).rglob("*")} == before
    assert states(servers.one, id) == ["queued", "running", "running", "done"]


def test_the_jobs_of_a_killed_server_go_on_from_its_checkpoint(
    servers: Shared, models_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.pipeline.scan.BAND_TILES", BAND_TILES)  # as in the process that is killed
    picture = draw_surface(7, 1000, 400)
    picture[300:330, 100:140] = (255, 0, 0)
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "TIFF")
    predict = "/v1/models/patchcore/predict?min_region_area=100"  # without the noise
    expected = servers.one.http.post(predict, files={"image": file.getvalue()}).json()
    begun: list[int] = []
    reported: list[int] = []

    def seen(artifact: Any, source: Any, question: Any, files: Any, write: Any, report: Any, *rest: Any) -> None:
        def first(stage: str, done: int, total: int, note: str = "") -> None:
            reported.append(done)
            report(stage, done, total, note)

        checkpoint = read_checkpoint(files.work / "checkpoint")
        begun.append(0 if checkpoint is None else checkpoint.rows)
        work(artifact, source, question, files, write, first, *rest)

    monkeypatch.setattr("app.jobs.picture_runner.work", seen)
    options = [part for name, value in servers.settings.items() for part in (f"--{name}", str(value))]
    with served(models_dir, "--precision", "float32", *options) as third:
        with monkeypatch.context() as resting:
            rest(servers.one, resting)
            rest(servers.two, resting)
            id = servers.one.upload(file.getvalue(), min_region_area=100)
            wait_until(lambda: servers.one.get(id).json()["pictures"][0]["rows_done"] >= 200)
            os.kill(third.pid, signal.SIGKILL)
            third.process.wait()
        assert servers.two.ended(id)["state"] == "done"
    assert len(begun) == 1 and 200 <= begun[0] <= reported[0]  # a new start would report earlier rows first
    result = servers.one.get(f"{id}/pictures/0/result").json()
    assert result["regions"] and result["score"] == pytest.approx(expected["score"], abs=1e-5)
    assert [each["box"] for each in result["regions"]] == [each["box"] for each in expected["regions"]]
    assert states(servers.one, id) == ["uploading", "queued", "running", "running", "done"]


def test_work_waits_for_a_database_that_is_away(
    servers: Shared,
    database_server: PostgreSQL,
    defect_png: bytes,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    go_on = hold(servers.one, monkeypatch)
    rest(servers.two, monkeypatch)
    id = servers.one.make({"path": "a.tif"}).json()["id"]
    wait_until(lambda: servers.two.get(id).json()["state"] == "running")
    with caplog.at_level(logging.INFO), ThreadPoolExecutor(1) as thread:
        followed = thread.submit(states, servers.two, id)
        wait_until(lambda: bool(jobs_of(servers.two).watchers.ids()))
        database_server.stop()
        try:
            for client in (servers.one, servers.two):
                for answer in (client.get(id), client.make({"path": "a.tif"}), client.delete(id)):
                    assert (answer.status_code, answer.json()["code"]) == (503, "jobs_database_unavailable")
                    assert "Retry-After" in answer.headers
                    assert str(database_server.folder) not in answer.text
                assert "notes" in client.http.get("/readyz").json()
                assert client.http.get("/readyz").status_code == 200
                assert 'tessera_jobs{state="queued"}' not in client.http.get("/metrics").text
            live = servers.one.http.post("/v1/models/patchcore/predict", files={"image": defect_png})
            assert live.json()["label"] == "anomalous"
            go_on()
        finally:
            database_server.start()
            wait_until(lambda: all(client.get(id).status_code == 200 for client in (servers.one, servers.two)))
        assert servers.one.ended(id)["state"] == "done"
        assert followed.result() == ["queued", "running", "done"]
    told = [each.getMessage() for each in caplog.records if each.levelno >= logging.WARNING]
    assert len([each for each in told if "cannot be used" in each]) == 2  # each server once
    assert len([each for each in told if "can be used again" in each]) == 2
    assert "notes" not in servers.one.http.get("/readyz").json()
