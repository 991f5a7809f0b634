"""The application as two replicas on a Ray cluster of two nodes, each with a processor."""

import io
import os
import shutil
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from inspect import signature
from pathlib import Path
from threading import Event
from types import FunctionType, ModuleType
from typing import Any

import httpx2
import psutil
import pytest
from PIL import Image
from prometheus_client.parser import text_string_to_metric_families

pytest.importorskip("ray", reason="the extra `ray` is not installed")

from app.cli import main
from app.deploy.environment import client_variables
from tests.api import (
    test_anomaly_map,
    test_heatmap,
    test_models,
    test_predict,
    test_predict_batch,
    test_problems,
    test_request_id,
)
from tests.api.test_disconnects import post_and_disconnect
from tests.api.test_row_stream import Camera
from tests.api.v2 import test_errors, test_infer
from tests.clusters import Site, run, site
from tests.repositories import add_version
from tests.test_main import process
from tests.waiting import WAIT_S, address, wait_until

CONTRACT: tuple[ModuleType, ...] = (
    test_anomaly_map,
    test_errors,
    test_heatmap,
    test_infer,
    test_models,
    test_predict,
    test_predict_batch,
    test_problems,
    test_request_id,
)
"""Their tests that need only a client and pictures run through Ray, too."""
OF_ONE_PROCESS = {"test_one_model_equals_its_entry_in_the_list", "test_an_unchanged_answer_is_not_sent_again"}
"""They compare descriptions of models, which say what each replica has measured: kernels, and so the ETag."""
GIVEN = {"client", "defect_picture", "defect_png", "normal_picture", "normal_png"}
MOST_BYTES = 2**23
TILES = 150
OPTIONS: dict[str, object] = {
    "device": "cpu",
    "precision": "float32",
    "batch_tiles": 8,
    "reload_interval_s": 0,
    "max_image_bytes": MOST_BYTES,
    "queue_tiles": TILES,
    "shutdown_grace_s": 2,
}
URL = "/v1/models/patchcore"


@pytest.fixture(scope="module")
def root(models_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository that the tests of this module may change."""
    return Path(shutil.copytree(models_dir, tmp_path_factory.mktemp("cluster") / "models"))


@pytest.fixture(scope="module")
def here(root: Path) -> Iterator[Site]:
    with site(2, **OPTIONS, models_dir=root, replicas=2, reload_timeout_s=2) as found:
        found.up()
        yield found


@pytest.fixture(scope="module")
def client(here: Site) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=here.url, timeout=WAIT_S, follow_redirects=True) as found:
        yield found


def _add_contract() -> None:
    for module in CONTRACT:
        for name, test in list(vars(module).items()):
            if not isinstance(test, FunctionType) or not name.startswith("test_") or name in OF_ONE_PROCESS:
                continue
            marks = getattr(test, "pytestmark", [])
            varied = {
                each.strip()
                for mark in marks
                if mark.name == "parametrize"
                for each in (mark.args[0].split(",") if isinstance(mark.args[0], str) else mark.args[0])
            }
            needed, looks_inside = set(signature(test).parameters), "app" in test.__code__.co_names
            if "client" in needed <= GIVEN | varied and not looks_inside:
                globals()[f"{module.__name__.rpartition('.')[2]}__{name}"] = test


_add_contract()


def posted(url: str, **how: Any) -> httpx2.Response:
    """The answer to a request that is sent again while the server is not there, is busy, or replaces a replica."""
    deadline = time.monotonic() + WAIT_S
    while True:
        try:
            answer = httpx2.post(url, timeout=WAIT_S, **how)
            if answer.status_code not in (429, 500, 502, 503, 504):
                return answer
        except httpx2.TransportError:
            pass
        assert time.monotonic() < deadline
        time.sleep(0.1)


def up(client: httpx2.Client) -> dict[str, float]:
    """Whether each replica answers, by its name."""
    text = client.get("/metrics").text
    return {sample.labels["replica"]: sample.value for sample in samples(text, "tessera_replica_up")}


def samples(text: str, name: str) -> list[Any]:
    return [
        sample for family in text_string_to_metric_families(text) for sample in family.samples if sample.name == name
    ]


def test_the_contract_has_tests() -> None:
    assert sum("__test_" in name for name in globals()) > 40


def test_answers_equal_those_of_a_server_of_its_own(
    client: httpx2.Client, root: Path, defect_png: bytes, normal_png: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    settings: Any = {name: value for name, value in OPTIONS.items() if name != "queue_tiles"}
    with (
        process(models_dir=root, **settings) as (server, log),
        httpx2.Client(base_url=address(server, log), timeout=WAIT_S) as alone,
    ):
        for picture in (defect_png, normal_png):
            for path in (f"{URL}/predict?include=mask,tiles", f"{URL}/predict-batch", "/v1/models/padim/predict"):
                field = "images" if path.endswith("batch") else "image"
                through, own = (each.post(path, files={field: picture}) for each in (client, alone))
                assert without_times(through.json()) == without_times(own.json())
            for path in (f"{URL}/heatmap", f"{URL}/anomaly-map?format=npy"):
                through, own = (each.post(path, files={"image": picture}) for each in (client, alone))
                assert through.content == own.content
                assert of_application(through.headers) == of_application(own.headers)


def of_application(headers: httpx2.Headers) -> dict[str, str]:
    """The headers that do not come from the HTTP server, and do not differ between requests."""
    other = {"connection", "date", "server", "x-request-id"}
    return {name: value for name, value in headers.items() if name not in other}


def without_times(body: Any) -> Any:
    if isinstance(body, list):
        return [without_times(each) for each in body]
    if isinstance(body, dict):
        return {name: without_times(value) for name, value in body.items() if name not in ("timing_ms", "request_id")}
    return body


def test_the_page_and_its_files_are_served(client: httpx2.Client) -> None:
    page = client.get("/")
    assert page.status_code == 200 and "text/html" in page.headers["content-type"]
    assert "content-security-policy" in page.headers
    assert client.get("/docs").status_code == 200
    assert client.get("/openapi.json").json()["info"]["title"] == "Tessera"


def test_an_upload_of_megabytes_is_answered_and_a_larger_one_refused(client: httpx2.Client) -> None:
    file = io.BytesIO()
    Image.new("RGB", (160, 96), "grey").save(file, "BMP")
    padded = file.getvalue() + bytes(MOST_BYTES - 2**16)
    assert client.post(f"{URL}/predict", files={"image": padded}).status_code == 200
    refused = client.post(f"{URL}/predict", files={"image": padded + bytes(2**17)})
    assert (refused.status_code, refused.json()["code"]) == (413, "too_many_bytes")
    assert refused.headers["content-type"] == "application/problem+json"


def test_a_full_queue_is_refused_with_retry_after(client: httpx2.Client) -> None:
    large = {"image": png(300)}  # 81 tiles: a replica takes one at a time
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: client.post(f"{URL}/predict", files=large), range(8)))
    refused = [answer for answer in answers if answer.status_code != 200]
    assert refused and len(refused) < len(answers)
    for answer in refused:
        assert (answer.status_code, answer.json()["code"]) == (429, "overloaded")
        assert int(answer.headers["Retry-After"]) >= 1


def png(edge: int) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (edge, edge), "grey").save(file, "PNG")
    return file.getvalue()


def test_a_client_that_leaves_cancels_its_request(client: httpx2.Client, here: Site) -> None:
    def gone() -> float:
        found = samples(client.get("/metrics").text, "tessera_requests_total")
        return float(sum(each.value for each in found if each.labels["status"] == "499"))

    before, started = gone(), time.monotonic()
    post_and_disconnect(here.url, png(900), lambda: time.monotonic() > started + 0.3)  # takes seconds
    wait_until(lambda: gone() > before)
    wait_until(lambda: not any(each.value for each in samples(client.get("/metrics").text, "tessera_queue_tiles")))


def test_every_response_has_one_id_which_is_that_of_the_trace(client: httpx2.Client) -> None:
    trace = "0af7651916cd43dd8448eb211c80319c"
    answer = client.get("/v1/models", headers={"traceparent": f"00-{trace}-b7ad6b7169203331-01"})
    assert answer.headers.get_list("X-Request-ID") == [trace]
    refused = client.get("/v1/models/none", headers={"X-Request-ID": "two words"})
    assert refused.headers.get_list("X-Request-ID") == [refused.json()["request_id"]]


def test_one_scrape_has_the_metrics_of_both_replicas_and_load_reaches_both(
    client: httpx2.Client, normal_png: bytes
) -> None:
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: client.post(f"{URL}/predict", files={"image": normal_png}), range(24)))
    text = client.get("/metrics").text
    assert sorted(up(client).values()) == [1, 1]
    verdicts: dict[str, float] = {}
    for each in samples(text, "tessera_requests_total"):
        if each.labels["route"] == "/v1/models/{model}/predict" and each.labels["status"] == "200":
            verdicts[each.labels["replica"]] = verdicts.get(each.labels["replica"], 0) + each.value
    assert verdicts.keys() == up(client).keys()


def test_a_reload_reaches_every_replica(client: httpx2.Client, root: Path, normal_png: bytes) -> None:
    add_version(root / "padim/1", root, "steel", 1)
    body = client.post("/v1/models/steel/reload").json()
    assert (body["newest"], body["added"]) == (1, [1])
    assert {each["replica"] for each in body["replicas"]} == up(client).keys()
    for each in body["replicas"]:
        assert each["answered"] and each["problem"] is None
        assert [(model["name"], model["ready"]) for model in each["models"]] == [("steel", [1])]
    for _ in range(8):
        assert client.post("/v1/models/steel/predict", files={"image": normal_png}).status_code == 200
    everything = client.post("/v1/reload").json()
    assert {"padim", "patchcore", "steel"} == {model["name"] for model in everything["models"]}
    assert [len(each["models"]) for each in everything["replicas"]] == [3, 3]


def test_an_unknown_model_is_not_found_on_any_replica(client: httpx2.Client) -> None:
    answer = client.post("/v1/models/nothing/reload")
    assert (answer.status_code, answer.json()["code"]) == (404, "model_not_found")


def test_a_replica_that_does_not_answer_is_named(client: httpx2.Client, here: Site) -> None:
    names = up(client).keys()
    frozen = replicas()[0]
    frozen.suspend()
    try:
        body: dict[str, Any] = {}
        deadline = time.monotonic() + WAIT_S
        while not body and time.monotonic() < deadline:  # a request may be sent to the frozen replica itself
            try:
                body = httpx2.post(f"{here.url}/v1/reload", timeout=5).json()
            except httpx2.TimeoutException:
                continue
    finally:
        frozen.resume()
    assert {each["replica"] for each in body["replicas"]} == names
    (silent,) = (each for each in body["replicas"] if not each["answered"])
    assert "not answered within 2 s" in silent["problem"] and silent["models"] == []


def replicas() -> list[psutil.Process]:
    """The processes of the replicas that this test process, or a node that it started, has as descendants."""
    own = psutil.Process(os.getpid()).children(recursive=True)
    return [each for each in own if "ServeReplica" in " ".join(each.cmdline())]


def test_a_stream_is_continued_only_on_the_replica_that_has_it(client: httpx2.Client) -> None:
    rows = bytes(160 * 3 * 64)

    def sent(name: str, **parameters: object) -> httpx2.Response:
        query = {"width": 160, "channels": 3, "stream": name, "more": "true", **parameters}
        how: Any = {"params": query, "headers": {"Content-Type": "application/octet-stream"}}
        return client.post(f"{URL}/stream", content=rows, **how)

    assert '"paused"' in sent("line").text
    answers: list[httpx2.Response] = []
    wait_until(lambda: answers.append(sent("line", after=0)) or answers[-1].status_code != 200)  # type: ignore[func-returns-value]
    problem = answers[-1].json()
    assert (answers[-1].status_code, problem["code"]) == (404, "stream_not_found")
    assert "another replica" in problem["detail"] and "under a new name, without `after`" in problem["detail"]
    assert '"paused"' in sent("line-again", first_row=64 * len(answers)).text


def test_a_node_that_is_removed_without_notice_loses_no_request(
    client: httpx2.Client, here: Site, normal_png: bytes
) -> None:
    answered, removed = list[int](), Event()
    with ThreadPoolExecutor(4) as pool:

        def send(number: int) -> None:
            afterwards = 0
            while afterwards < 5:
                afterwards += removed.is_set()
                answered.append(posted(here.url + f"{URL}/predict", files={"image": normal_png}).status_code)

        clients = [pool.submit(send, number) for number in range(4)]
        wait_until(lambda: len(answered) > 8)
        here.remove_node()
        removed.set()
        for each in clients:
            each.result()
    assert set(answered) == {200}
    wait_until(lambda: len(up(client)) == 1 and here.alive == 1)
    done = run(here.command("status"))
    assert done.stdout.count("alive") == done.stdout.count("gone") == 1, done.stderr
    assert "application: " in done.stdout and "1 RUNNING" in done.stdout


def test_down_ends_the_application_and_tells_its_streams(here: Site) -> None:
    camera = Camera(here, stream="last")  # type: ignore[arg-type]  # it needs only the address
    camera.send(bytes(160 * 3))
    with ThreadPoolExecutor(1) as pool:
        ending = pool.submit(run, here.command("down"))
        told = camera.lines(until="error")[-1]
        done = ending.result()
    camera.break_off()
    assert told["error"]["code"] == "engine_stopped"
    assert done.returncode == 0 and "the application is ended" in done.stderr
    with pytest.raises(httpx2.TransportError):
        httpx2.get(f"{here.url}/livez")


def test_a_cluster_that_is_not_there_is_reported_in_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in client_variables("127.0.0.1"):
        monkeypatch.setenv(name, "0")  # restored after the command has set it
    assert main(["cluster", "status", "--address", "127.0.0.1:9"]) == 1
    error = capsys.readouterr().err
    assert error.startswith("error: no Ray cluster can be reached at 127.0.0.1:9") and error.count("\n") == 1
