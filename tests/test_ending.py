"""The end of a server process while something hangs: in time, and with a status that says how."""

import asyncio
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest
from starlette.types import Message, Receive, Scope, Send

from app.api.in_flight import InFlight
from app.application import build_app
from app.ending import Ending, ExitStatus
from app.server import Server
from app.settings import Settings
from tests.test_main import process
from tests.waiting import WAIT_S, address, wait_until

URL = "/v1/models/padim/predict"
GRACE_S = 0.5
HANGS = """
from threading import Event
from app.pipeline import TiledModel
from app.main import serve
from app.settings import Settings
from tests.trials_shortened import shorten_trials

shorten_trials()
settings = Settings()
flag = settings.examples_dir / "hang"
run = TiledModel.run

def hanging_run(self, tiles):
    if flag.exists():
        flag.with_name("reached").touch()
        Event().wait()
    return run(self, tiles)

TiledModel.run = hanging_run
serve(settings)
"""


@contextmanager
def hanging(models_dir: Path, folder: Path, **settings: object) -> Iterator[tuple[subprocess.Popen[str], str, Path]]:
    """Yields a server whose lane hangs if there is a file `hang` in the folder, its URL and its log."""
    (folder / "models").mkdir()
    (folder / "models" / "padim").symlink_to(models_dir / "padim")
    values = {"examples_dir": folder, "shutdown_grace_s": GRACE_S, "cpu_lanes": 1} | settings
    command = [sys.executable, "-W", "error", "-c", HANGS]
    with process(command, models_dir=folder / "models", **values) as (server, log):
        yield server, address(server, log), log


def stall(url: str) -> socket.socket:
    """A connection that has sent half of an upload."""
    stalled = socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2])))
    stalled.sendall(b"POST " + URL.encode() + b" HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf")
    return stalled


def test_sigterm_ends_the_process_in_time_and_answers_what_hangs(
    models_dir: Path, tmp_path: Path, normal_png: bytes
) -> None:
    with hanging(models_dir, tmp_path) as (server, url, log), ThreadPoolExecutor() as pool, stall(url):
        (tmp_path / "hang").touch()
        waiting = pool.submit(httpx2.post, url + URL, files={"image": normal_png}, timeout=WAIT_S)
        wait_until((tmp_path / "reached").exists)
        started = time.monotonic()
        server.send_signal(signal.SIGTERM)
        assert server.wait(30) == 0
        assert time.monotonic() - started < GRACE_S + 2 + 1  # one more on a busy machine
        answer = waiting.result()
    assert (answer.status_code, answer.json()["code"]) == (503, "engine_stopped")
    assert "status=503" in log.read_text()


def test_a_server_that_only_another_process_can_cure_ends_itself(
    models_dir: Path, tmp_path: Path, normal_png: bytes
) -> None:
    with hanging(models_dir, tmp_path, stuck_after_s=1) as (server, url, log):
        (tmp_path / "hang").touch()
        answer = httpx2.post(url + URL, files={"image": normal_png}, timeout=WAIT_S)
        assert (answer.status_code, answer.json()["code"]) == (503, "device_failed")
        assert httpx2.get(f"{url}/livez").status_code == 503
        assert server.wait(WAIT_S) == ExitStatus.fault
    assert re.search("CRITICAL tessera: the server ends itself, to be restarted: .*cpu", log.read_text())


class Recorded(Ending):
    """Records the calls, and ends nothing."""

    def __init__(self) -> None:
        self.calls: list[float] = []

    def within(self, seconds: float) -> None:
        self.calls.append(seconds)

    def now(self) -> None:
        self.calls.append(0)


def test_the_first_signal_limits_the_time_and_the_second_ends_the_process_at_once(tmp_path: Path) -> None:
    settings = Settings(models_dir=tmp_path, device="cpu", shutdown_grace_s=3)
    server = Server(build_app(settings), settings)
    server.ending = ending = Recorded()
    server.handle_exit(signal.SIGTERM, None)
    assert server.should_exit and len(ending.calls) == 1 and 3 < ending.calls[0] < 5
    server.handle_exit(signal.SIGTERM, None)
    assert ending.calls[1] == 0


@pytest.mark.parametrize(("more_body", "status"), [(True, ExitStatus.answered), (False, ExitStatus.unanswered)])
def test_a_request_that_was_received_whole_and_not_answered_counts(
    tmp_path: Path, more_body: bool, status: ExitStatus
) -> None:
    settings = Settings(models_dir=tmp_path, device="cpu")
    app = build_app(settings)
    server = Server(app, settings)

    async def answers_half(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": more_body}

    async def send(_: Message) -> None:
        pass

    scope: Scope = {"type": "http", "headers": [(b"content-length", b"9")]}
    asyncio.run(InFlight(answers_half, app.state.in_flight)(scope, receive, send))
    assert server.status == status
