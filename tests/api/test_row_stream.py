"""Streams of rows against a real server: what is told, when, and what survives a broken connection."""

import asyncio
import json
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from threading import Event
from typing import Any

import httpx2
import numpy as np
import pytest
from PIL import Image

from app.admission import TileRate
from app.errors import NotFinite, StreamNotFound
from app.pipeline import Band, BandOutcome, Criteria, TiledModel
from app.service.streaming import Known, RowFormat, SampleType, StreamOptions
from app.service.streaming.bands import BandLanes
from app.service.streaming.stream import _wait_for
from app.settings import Settings
from tests.conftest import Picture, draw_surface
from tests.running import Live, running
from tests.waiting import WAIT_S, wait_until

WIDTH, HEIGHT = 160, 480
STAINS = ((40, 100), (170, 20), (300, 60), (460, 130))
Line = dict[str, Any]


@pytest.fixture(scope="module")
def server(models_dir: Path) -> Iterator[Live]:
    with running(Settings(models_dir=models_dir, device="cpu", max_streams=30)) as live:
        yield live


@pytest.fixture(scope="module")
def surface() -> Picture:
    """A long surface [480,160,3] with red stains of 16 x 24 pixels."""
    found = draw_surface(77, HEIGHT, WIDTH)
    for y, x in STAINS:
        found[y : y + 16, x : x + 24] = (255, 0, 0)
    return found


class Camera:
    """A client with a socket of its own, which sends chunks and reads lines at any time."""

    def __init__(self, live: Live, **parameters: object) -> None:
        query = "&".join(f"{name}={value}" for name, value in {"width": WIDTH, "channels": 3, **parameters}.items())
        host, port = live.url.removeprefix("http://").split(":")
        self.socket = socket.create_connection((host, int(port)), WAIT_S)
        head = (
            f"POST /v1/models/patchcore/stream?{query} HTTP/1.1\r\nHost: {host}\r\nTransfer-Encoding: chunked\r\n\r\n"
        )
        self.socket.sendall(head.encode())
        self._file = self.socket.makefile("rb")
        self.status = int(self._file.readline().split()[1])
        while self._file.readline().strip():
            pass
        self._text = b""

    def send(self, rows: Picture | bytes) -> None:
        data = rows if isinstance(rows, bytes) else rows.tobytes()
        if data:
            self.socket.sendall(b"%x\r\n%s\r\n" % (len(data), data))

    def end(self) -> None:
        self.socket.sendall(b"0\r\n\r\n")

    def line(self) -> Line | None:
        """The next line; None: the response has ended."""
        while b"\n" not in self._text:
            size = int(self._file.readline(), 16)
            self._text += self._file.read(size)
            self._file.readline()
            if not size:
                return None
        first, _, self._text = self._text.partition(b"\n")
        found: Line = json.loads(first)
        return found

    def lines(self, until: str) -> list[Line]:
        """The lines up to the next one of this type."""
        found = []
        while (line := self.line()) is not None:
            found.append(line)
            if line["type"] == until:
                return found
        raise AssertionError(found)

    def break_off(self) -> None:
        """Closes the connection as if the network had failed."""
        if self.socket.fileno() >= 0:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self._file.close()
        self.socket.close()


Connect = Callable[..., Camera]


@pytest.fixture
def connect() -> Iterator[Connect]:
    """Makes cameras, and closes them after the test."""
    with ExitStack() as opened:

        def make(live: Live, **parameters: object) -> Camera:
            camera = Camera(live, **parameters)
            opened.callback(camera.break_off)
            return camera

        yield make


def regions(lines: list[Line]) -> list[Line]:
    return [line for line in lines if line["type"] == "region"]


def numbers(lines: list[Line]) -> list[int]:
    return [line["sequence"] for line in regions(lines)]


def refused(live: Live, model: str = "patchcore", **parameters: Any) -> tuple[int, str, str]:
    given = {"width": WIDTH, "channels": 3, **parameters}
    response = httpx2.post(f"{live.url}/v1/models/{model}/stream", params=given)
    body = response.json()
    return response.status_code, body["code"], body["detail"]


@pytest.fixture(scope="module")
def expected(server: Live, surface: Picture, tmp_path_factory: pytest.TempPathFactory) -> list[Line]:
    """The regions of the whole picture, as predict answers them."""
    path = tmp_path_factory.mktemp("surface") / "surface.png"
    Image.fromarray(surface).save(path)
    with path.open("rb") as file:
        answer = httpx2.post(f"{server.url}/v1/models/patchcore/predict", files={"image": file}, timeout=WAIT_S)
    assert answer.status_code == 200, answer.text
    found: list[Line] = answer.json()["regions"]
    return found


def places(lines: list[Line], shift: int = 0) -> list[tuple[int, ...]]:
    boxes = [{**line["box"], "y": line["box"]["y"] - shift} for line in lines]
    return sorted(
        (box["y"], box["x"], box["height"], box["width"], line["area"]) for box, line in zip(boxes, lines, strict=True)
    )


def test_regions_are_those_of_the_whole_picture(
    connect: Connect, server: Live, surface: Picture, expected: list[Line]
) -> None:
    """Each is told before the rows below it come, in the order of the rows, with its number."""
    camera = connect(server, first_row=10**12)
    (started,) = camera.lines("started")
    assert camera.status == 200 and started["next_row"] == 10**12
    assert started["model"]["name"] == "patchcore" and started["latency_rows"] < 100
    found: list[Line] = []
    for first in range(0, HEIGHT, 96):
        camera.send(surface[first : first + 96])
        if first:
            lines = camera.lines("progress")
            while lines[-1]["complete_rows"] < 10**12 + first + 96 - started["latency_rows"]:
                lines += camera.lines("progress")
            found += lines
    early = len(regions(found))
    camera.end()
    found += camera.lines("ended")
    assert camera.line() is None
    assert 0 < early < len(regions(found)) == len(expected)
    assert places(regions(found), 10**12) == places(expected)
    assert numbers(found) == list(range(1, len(expected) + 1)) == list(range(1, found[-1]["sequence"] + 1))
    assert found[-1]["next_row"] == 10**12 + HEIGHT
    scores = {round(line["score"], 4) for line in regions(found)}
    assert scores == {round(region["score"], 4) for region in expected}
    assert max(line["score"] for line in found if line["type"] == "progress" and "score" in line) == max(
        line["score"] for line in regions(found)
    )
    assert not any(line["continues"] for line in regions(found))


def test_a_broken_connection_loses_and_doubles_nothing(
    connect: Connect, server: Live, surface: Picture, expected: list[Line]
) -> None:
    """Broken within a row, twice; once the last lines did not reach the client."""
    camera, data = connect(server, stream="broken"), surface.tobytes()
    row_bytes = WIDTH * 3
    camera.lines("started")
    camera.send(data[: 250 * row_bytes + 100])
    seen = camera.lines("region")
    stream = server.services.streams._streams[None, "broken"]
    wait_until(lambda: stream.next_row == 250)
    camera.break_off()
    wait_until(lambda: stream.connection is None)
    camera = connect(server, stream="broken", after=seen[-1]["sequence"])
    (started,) = camera.lines("started")
    assert started["next_row"] == 250
    camera.send(data[250 * row_bytes : 400 * row_bytes])
    seen += camera.lines("region")
    wait_until(lambda: stream.next_row == 400)
    camera.break_off()
    camera = connect(server, stream="broken", after=seen[-1]["sequence"], first_row=390)  # repeats ten rows
    camera.send(data[390 * row_bytes :])
    camera.end()
    seen += camera.lines("ended")
    assert numbers(seen) == list(range(1, len(expected) + 1))
    assert places(regions(seen)) == places(expected)
    again = connect(server, stream="broken", after=1)
    again.end()
    assert numbers(again.lines("ended")) == list(range(2, len(expected) + 1))


def test_parts_suit_clients_that_read_only_at_the_end(server: Live, surface: Picture, expected: list[Line]) -> None:
    found: list[Line] = []
    url = f"{server.url}/v1/models/patchcore/stream"
    for first in range(0, HEIGHT, 120):
        parameters: dict[str, Any] = {"width": WIDTH, "channels": 3, "stream": "parts", "more": first < HEIGHT - 120}
        if first:
            parameters |= {"after": len(regions(found)), "first_row": first}
        response = httpx2.post(url, params=parameters, content=surface[first : first + 120].tobytes(), timeout=WAIT_S)
        assert response.headers["content-type"] == "application/x-ndjson"
        assert response.headers["content-encoding"] == "identity"  # although the client takes gzip
        found += [json.loads(line) for line in response.text.splitlines()]
        assert found[-1]["type"] == ("paused" if first < HEIGHT - 120 else "ended")
    assert places(regions(found)) == places(expected)
    assert numbers(found) == list(range(1, len(expected) + 1))


def test_sixteen_bits_and_grey_are_read_as_they_are_sent(connect: Connect, server: Live) -> None:
    grey = draw_surface(3, 200, WIDTH)[..., 0]
    grey[90:110, 50:80] = 255
    found = {}
    for dtype, rows in (("uint8", grey), ("uint16", grey.astype("<u2") * 257)):
        camera = connect(server, channels=1, dtype=dtype)
        camera.send(rows.tobytes())
        camera.end()
        found[dtype] = places(regions(camera.lines("ended")))
    assert found["uint8"] == found["uint16"] != []


def test_long_regions_are_told_in_parts(connect: Connect, server: Live) -> None:
    rows = draw_surface(4, 400, WIDTH)
    rows[:, 70:90] = (255, 0, 0)
    camera, lines = connect(server, longest_region=100), list[Line]()
    for first in range(0, 400, 50):  # the limit is applied after each band
        camera.send(rows[first : first + 50])
        while not lines or lines[-1].get("complete_rows", 0) < first - 50:
            lines += camera.lines("progress")
    camera.end()
    found = regions(lines + camera.lines("ended"))
    assert sum(line["continues"] for line in found) >= 2
    assert max(line["box"]["height"] for line in found) < 300


def test_the_server_reads_no_more_than_it_computes(
    connect: Connect, server: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Back-pressure: while the device works on a band, a bounded number of rows is taken from the camera."""
    goes_on = Event()

    run = BandLanes.run

    async def slow_run(self: BandLanes, models: Sequence[TiledModel], band: Band) -> BandOutcome:
        await asyncio.to_thread(goes_on.wait, WAIT_S)
        return await run(self, models, band)

    monkeypatch.setattr(BandLanes, "run", slow_run)
    camera = connect(server, stream="held")
    (started,) = camera.lines("started")
    stream = server.services.streams._streams[None, "held"]
    rows = draw_surface(5, 100, WIDTH)
    camera.socket.settimeout(0.5)
    with pytest.raises(TimeoutError):
        for _ in range(2000):
            camera.send(rows)
    assert stream.next_row < 2 * started["buffer_rows"] + 2**18 / (WIDTH * 3)
    goes_on.set()
    camera.socket.settimeout(WAIT_S)
    while not camera.lines("progress")[-1]["complete_rows"]:
        pass
    camera.break_off()


def test_a_slow_camera_is_not_too_slow(connect: Connect, models_dir: Path, surface: Picture) -> None:
    """Pauses longer than stall_timeout_s; after stream_idle_s the connection ends, and the stream is kept."""
    with running(Settings(models_dir=models_dir, device="cpu", stream_idle_s=4, stall_timeout_s=0.5)) as impatient:
        camera = connect(impatient, stream="slow")
        camera.send(surface[:100])
        time.sleep(1.5)
        camera.send(surface[100:200])
        lines = camera.lines("error")
        assert lines[-1]["error"]["code"] == "client_too_slow" and lines[-1]["next_row"] == 200
        camera = connect(impatient, stream="slow", after=lines[-1].get("sequence", 0))
        assert camera.lines("started")[-1]["next_row"] == 200
        camera.break_off()
        wait_until(lambda: (None, "slow") not in impatient.services.streams._streams)
        assert refused(impatient, stream="slow", after=0)[:2] == (404, "stream_not_found")


def test_a_newer_connection_takes_over(connect: Connect, server: Live, surface: Picture) -> None:
    first = connect(server, stream="taken")
    first.send(surface[:100])
    first.lines("progress")
    second = connect(server, stream="taken", after=0)
    assert second.lines("started")[-1]["next_row"] == 100
    assert first.lines("error")[-1]["error"]["code"] == "stream_conflict"
    second.break_off()


@pytest.mark.parametrize(
    ("parameters", "status", "code", "detail"),
    [
        ({"width": 0}, 422, "invalid_request", "query.width"),
        ({"channels": 2}, 422, "invalid_request", "1 (grey) or 3"),
        ({"dtype": "float32"}, 422, "invalid_request", "query.dtype"),
        ({"stream": "a b"}, 422, "invalid_request", "query.stream"),
        ({"wide": 3}, 422, "invalid_request", "did you mean 'width'"),
        ({"model": "padim"}, 422, "not_streamable", "resizes pictures"),
        ({"model": "nothing"}, 404, "model_not_found", "there is no model"),
        ({"stream": "nowhere", "after": 0}, 404, "stream_not_found", "nowhere"),
        ({"width": 2**22}, 413, "too_costly", "max_work_bytes"),
    ],
)
def test_mistakes_are_refused_before_a_row_is_read(
    server: Live, parameters: dict[str, Any], status: int, code: str, detail: str
) -> None:
    found = refused(server, **parameters)
    assert found[:2] == (status, code) and detail in found[2]


def test_a_stream_is_continued_as_it_was_begun(connect: Connect, server: Live, surface: Picture) -> None:
    camera = connect(server, stream="same", threshold=0.6)
    camera.send(surface[:200])
    camera.lines("progress")
    for parameters, detail in (
        ({"threshold": 0.5}, "has threshold 0.6"),
        ({"threshold": 0.6, "width": 80}, "has width 160"),
        ({"threshold": 0.6, "first_row": 201}, "has the rows before 200"),
        ({"threshold": 0.6, "after": 99}, "after is 99"),
        ({"threshold": 0.6, "version": 1}, "has version 2"),
    ):
        given: dict[str, Any] = {"after": 0, **parameters}
        found = refused(server, stream="same", **given)
        assert found[:2] == (409, "stream_conflict") and detail in found[2]
    found = refused(server, stream="same", threshold=0.6)
    assert found[:2] == (409, "stream_conflict") and "there is a stream 'same' already" in found[2]
    camera.break_off()


def test_rows_must_be_whole(connect: Connect, server: Live) -> None:
    camera = connect(server)
    camera.send(bytes(WIDTH * 3 * 2 + 5))
    camera.end()
    error = camera.lines("error")[-1]
    assert error["error"]["code"] == "invalid_stream" and "5 bytes of a row" in error["error"]["detail"]
    assert error["next_row"] == 2


def test_other_bodies_are_refused(server: Live) -> None:
    url, parameters = f"{server.url}/v1/models/patchcore/stream", {"width": WIDTH}
    for headers in ({"Content-Type": "image/png"}, {"Content-Encoding": "gzip"}):
        response = httpx2.post(url, params=parameters, headers=headers, content=b"x")
        assert (response.status_code, response.json()["code"]) == (415, "unsupported_media_type")


def test_the_number_of_streams_is_limited(connect: Connect, models_dir: Path) -> None:
    with running(Settings(models_dir=models_dir, device="cpu", max_streams=1)) as live:
        camera = connect(live)
        camera.lines("started")
        status, code, detail = refused(live)
        assert (status, code) == (429, "overloaded") and "max_streams" in detail
        metrics = httpx2.get(f"{live.url}/metrics").text
        assert "tessera_streams 1.0" in metrics
        camera.send(np.zeros((3, WIDTH, 3), np.uint8))
        wait_until(lambda: 'tessera_stream_rows_total{model="patchcore"} 3.0' in httpx2.get(f"{live.url}/metrics").text)
        live.server.should_exit = True  # the end of the server ends the stream
        assert camera.lines("error")[-1]["error"]["code"] == "engine_stopped"


def test_an_empty_stream_ends(connect: Connect, server: Live) -> None:
    camera = connect(server)
    camera.end()
    assert [line["type"] for line in camera.lines("ended")][-1] == "ended"


def test_a_failure_ends_the_stream_and_is_told_again(
    connect: Connect, server: Live, surface: Picture, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def not_finite(*_: Any) -> BandOutcome:
        raise NotFinite("the model computed NaN")

    monkeypatch.setattr(BandLanes, "run", not_finite)
    camera = connect(server, stream="failing")
    camera.send(surface)
    error = camera.lines("error")[-1]["error"]
    assert (error["code"], error["status"], error["detail"]) == ("not_finite", 503, "the model computed NaN")
    camera = connect(server, stream="failing", after=0)
    assert camera.lines("error")[-1]["error"]["code"] == "not_finite"
    monkeypatch.undo()
    camera = connect(server, stream="failing")  # the name is free again
    camera.end()
    assert camera.lines("ended")[-1]["next_row"] == 0


def test_a_stream_belongs_to_its_key(connect: Connect, server: Live) -> None:
    camera = connect(server, stream="own")
    camera.lines("started")
    options = StreamOptions(RowFormat(WIDTH, 3, SampleType.uint8), Criteria(), 10_000)
    with pytest.raises(StreamNotFound):
        server.services.streams.resume("another key", "own", Known(options, "patchcore", None, None, 0))


def test_the_rate_of_a_key_delays_its_bands() -> None:
    rate, started = TileRate("camera-3", 100.0), time.monotonic()
    rate.take(120)
    asyncio.run(_wait_for(rate, 10))
    assert time.monotonic() - started >= 0.29
