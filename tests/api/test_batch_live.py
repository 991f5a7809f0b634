"""Batches over a real connection: each line's time of arrival, clients that disconnect, and a queue that others fill.

One tile runs at a time, and only when the test lets it through: events determine the order, never a clock.
"""

import io
import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from queue import Queue

import httpx2
import pytest
from PIL import Image

from tests.conftest import draw_surface
from tests.interposing import Turnstile
from tests.running import Live
from tests.waiting import WAIT_S, wait_until

BATCH, ALONE = "/v1/models/patchcore/predict-batch", "/v1/models/patchcore/predict"
LINES = {"Accept": "application/x-ndjson"}
TILES = 8
"""Tiles of the picture `defect_png`. `large_png` has twice as many, which is the size of the queue."""

Files = list[tuple[str, tuple[str, bytes]]]


def form(*pictures: bytes) -> Files:
    return [("images", (f"{number}.png", picture)) for number, picture in enumerate(pictures)]


@pytest.fixture(scope="module")
def large_png() -> bytes:
    file = io.BytesIO()
    Image.fromarray(draw_surface(7, 160, 160)).save(file, "PNG")
    return file.getvalue()


@pytest.fixture(params=[2 * TILES])
def server(live: Callable[..., Live], request: pytest.FixtureRequest) -> Live:
    # One thread decodes, so that pictures reach the device in the form's order.
    return live(batch_tiles=1, cpu_lanes=1, decode_processes=1, queue_tiles=request.param)


@pytest.fixture
def turnstile(server: Live) -> Iterator[Turnstile]:
    turnstile = Turnstile(server.services.catalogue.get("patchcore").model)
    yield turnstile
    turnstile.open()


@pytest.mark.parametrize("server", [5 * TILES], indirect=True, ids=["room for all"])
@pytest.mark.parametrize("coding", ["identity", "gzip"])
def test_a_line_arrives_before_a_tile_of_the_next_picture_has_run(
    server: Live, turnstile: Turnstile, defect_png: bytes, coding: str
) -> None:
    headers = LINES | {"Accept-Encoding": coding}
    files = form(*[defect_png] * 5)
    turnstile.let(TILES)  # the tiles of one picture: the next picture needs more
    with httpx2.stream("POST", server.url + BATCH, files=files, headers=headers, timeout=WAIT_S) as answer:
        lines = answer.iter_lines()
        for number in range(5):
            line = json.loads(next(lines))
            assert line["index"] == number and line["prediction"]["label"] == "anomalous"
            assert tiles_that_ran(server) == (number + 1) * TILES
            turnstile.let(TILES)
        assert list(lines) == []
        assert answer.headers.get("content-encoding", "identity") == coding


@pytest.mark.parametrize("coding", ["identity", "gzip"])
def test_a_client_that_disconnects_during_a_batch_cancels_the_rest(
    server: Live, turnstile: Turnstile, defect_png: bytes, coding: str
) -> None:
    headers = LINES | {"Accept-Encoding": coding}
    files = form(*[defect_png] * 6)
    turnstile.let(TILES)
    with httpx2.stream("POST", server.url + BATCH, files=files, headers=headers, timeout=WAIT_S) as answer:
        assert json.loads(next(answer.iter_lines()))["index"] == 0
    worker = server.services.worker
    wait_until(lambda: worker.tiles <= TILES)  # at most those of the picture whose tile is running
    turnstile.open()
    wait_until(lambda: worker.tiles == 0)
    ran = tiles_that_ran(server)
    assert TILES <= ran < 2 * TILES  # the first picture's, and those of the second that ran before it was cancelled
    assert httpx2.post(server.url + ALONE, files={"image": defect_png}).status_code == 200
    assert tiles_that_ran(server) == ran + TILES
    wait_until(lambda: not server.server.server_state.tasks)


def test_a_client_that_disconnects_before_the_first_answer_cancels_the_whole_batch(
    server: Live, turnstile: Turnstile, defect_png: bytes
) -> None:
    with pytest.raises(httpx2.ReadTimeout):
        httpx2.post(server.url + BATCH, files=form(*[defect_png] * 6), timeout=0.5)
    wait_until(lambda: server.services.worker.tiles <= TILES)
    turnstile.open()
    wait_until(lambda: server.services.worker.tiles == 0)
    assert tiles_that_ran(server) <= 1
    assert httpx2.post(server.url + ALONE, files={"image": defect_png}).status_code == 200


def test_a_batch_waits_while_other_requests_fill_the_queue(
    server: Live, turnstile: Turnstile, defect_png: bytes, large_png: bytes
) -> None:
    lines: Queue[str] = Queue()

    def post_batch() -> None:
        files = form(defect_png, large_png)
        with httpx2.stream("POST", server.url + BATCH, files=files, headers=LINES, timeout=WAIT_S) as answer:
            for line in answer.iter_lines():
                lines.put(line)

    def post_other() -> httpx2.Response:
        return httpx2.post(server.url + ALONE, files={"image": defect_png}, timeout=WAIT_S)

    worker = server.services.worker
    with ThreadPoolExecutor(2) as pool:
        batch = pool.submit(post_batch)
        wait_until(lambda: worker.tiles == TILES)  # the first picture's; there is no room for the large one as well
        other = pool.submit(post_other)
        wait_until(lambda: worker.tiles == 2 * TILES)
        assert post_other().status_code == 429  # the queue is full: a single picture is refused at once
        turnstile.let(TILES)
        assert json.loads(lines.get(timeout=WAIT_S))["index"] == 0
        assert worker.tiles == TILES and not other.done()  # the other request still takes half of the queue
        turnstile.open()
        assert other.result().status_code == 200
        line = json.loads(lines.get(timeout=WAIT_S))
        batch.result()
        assert line["index"] == 1 and line["prediction"]["tiles"]["count"] == 2 * TILES
    assert worker.tiles == 0


@pytest.mark.parametrize("limit_s", ["0.5", "1.5"])
def test_pictures_that_wait_for_the_queue_until_the_deadline_are_refused_in_their_places(
    server: Live, turnstile: Turnstile, defect_png: bytes, large_png: bytes, limit_s: str
) -> None:
    with ThreadPoolExecutor(1) as others:
        other = others.submit(httpx2.post, server.url + ALONE, files={"image": large_png}, timeout=WAIT_S)
        wait_until(lambda: server.services.worker.tiles == 2 * TILES)
        headers = {"X-Request-Timeout": limit_s}
        files = form(defect_png, b"no picture", defect_png)
        answer = httpx2.post(server.url + BATCH, files=files, headers=headers, timeout=WAIT_S)
        assert answer.status_code == 200 and not other.done()
        problems = [item["problem"] for item in answer.json()["items"]]
        answered = [(problem["status"], problem["code"]) for problem in problems]
        assert answered == [(429, "overloaded"), (415, "unsupported_image"), (429, "overloaded")]
        assert f"{2 * TILES} are taken" in problems[0]["detail"]
        turnstile.open()
        assert other.result().status_code == 200
    assert httpx2.post(server.url + BATCH, files=form(defect_png)).json()["items"][0]["prediction"]


def tiles_that_ran(server: Live) -> int:
    (line,) = [
        each for each in httpx2.get(f"{server.url}/metrics").text.splitlines() if each.startswith("tessera_tiles_total")
    ]
    return int(float(line.split()[1]))
