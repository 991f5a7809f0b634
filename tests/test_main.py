"""The server as a process: its start, its log and its end."""

import errno
import io
import os
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
import torch
from PIL import Image

from app.parts import decode_processes
from app.server import listen
from tests.waiting import WAIT_S, address

COMMAND = [
    sys.executable,
    "-W",
    "error",
    "-c",
    "from app.main import serve; from app.settings import Settings; from tests.trials_shortened import shorten_trials; "
    "shorten_trials(); serve(Settings())",
]


@contextmanager
def process(command: list[str] = COMMAND, **settings: object) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """Yields a server process with these settings and its log file; kills the process at the end."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("TESSERA_")}
    values = {"device": "cpu", "port": 0} | settings
    environment |= {f"TESSERA_{name.upper()}": str(value) for name, value in values.items()}
    log = Path(str(settings["models_dir"])) / f".log-{time.monotonic_ns()}"
    with log.open("w") as stream, subprocess.Popen(command, env=environment, stderr=stream, text=True) as server:
        try:
            yield server, log
        finally:
            server.kill()


def picture(width: int, height: int, color: object = "grey", format: str = "PNG") -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (width, height), color).save(file, format)  # type: ignore[arg-type]  # Pillow: float or tuple or str
    return file.getvalue()


def test_requests_in_flight_are_answered_after_sigterm(models_dir: Path) -> None:
    with (
        process(models_dir=models_dir, shutdown_grace_s=30, batch_tiles=1) as (server, log),
        ThreadPoolExecutor() as pool,
    ):
        url = address(server, log) + "/v1/models/patchcore/predict"
        waiting = [pool.submit(httpx2.post, url, files={"image": picture(300, 300)}, timeout=WAIT_S) for _ in range(2)]
        wait_for(url, "tessera_queue_tiles", 162)
        server.send_signal(signal.SIGTERM)
        assert [each.result().status_code for each in waiting] == [200, 200]
        assert server.wait(10) == 0
    assert log.read_text().count("status=200") >= 2


def test_after_the_grace_period_requests_get_503_and_the_server_ends(models_dir: Path) -> None:
    with (
        process(models_dir=models_dir, shutdown_grace_s=1, batch_tiles=1) as (server, log),
        ThreadPoolExecutor() as pool,
    ):
        url = address(server, log) + "/v1/models/patchcore/predict"
        large = picture(6000, 6000)
        waiting = [pool.submit(httpx2.post, url, files={"image": large}, timeout=WAIT_S) for _ in range(2)]
        wait_for(url, "tessera_tiles_total", 1)
        started = time.monotonic()
        server.send_signal(signal.SIGTERM)
        answers = [each.result() for each in waiting]
        assert server.wait(10) == 0
        assert time.monotonic() - started < 10
    assert {(answer.status_code, answer.json()["code"]) for answer in answers} <= {
        (503, "engine_stopped"),
        (429, "overloaded"),
    }
    assert 503 in {answer.status_code for answer in answers}


def test_a_stalled_upload_does_not_delay_the_shutdown(models_dir: Path) -> None:
    with process(models_dir=models_dir, shutdown_grace_s=1) as (server, log):
        url = address(server, log)
        with socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2]))) as stalled:
            stalled.sendall(b"POST /v1/models/patchcore/predict HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n")
            time.sleep(0.2)
            started = time.monotonic()
            server.send_signal(signal.SIGTERM)
            assert server.wait(20) == 0
            assert time.monotonic() - started < 10


def wait_for(url: str, metric: str, least: float) -> None:
    deadline = time.monotonic() + WAIT_S
    metrics = url.partition("/v1")[0] + "/metrics"
    while time.monotonic() < deadline:
        found = re.search(rf"^{metric} (\S+)", httpx2.get(metrics).text, re.MULTILINE)
        if found and float(found[1]) >= least:
            return
        time.sleep(0.02)
    raise AssertionError(f"{metric} did not reach {least}")


def test_each_request_logs_one_line(models_dir: Path) -> None:
    with process(models_dir=models_dir) as (server, log):
        url = address(server, log)
        httpx2.post(f"{url}/v1/models/padim/predict", files={"image": picture(9, 9)}, headers={"X-Request-ID": "a7"})
        httpx2.get(f"{url}/v1/models/x%0Aforged")
        server.send_signal(signal.SIGTERM)
        server.wait(20)
    text = log.read_text()
    assert re.search(
        r"POST '/v1/models/padim/predict' model='padim' status=200 ms=[\d.]+ client='127.0.0.1' id=a7 served=padim/1 ",
        text,
    )
    assert r"model='x\nforged' status=404" in text
    assert "/readyz" not in text


FAILURES: dict[str, dict[str, str]] = {
    "models_dir /nowhere ": {"models_dir": "/nowhere"},
    "'tpu'": {"device": "tpu"},
    "float16": {"precision": "float16", "device": "cpu"},
    "203.0.113.1": {"host": "203.0.113.1"},
    "/nowhere is not a directory, or is not there; make it": {"verdict_record": "/nowhere/verdicts.csv"},
    "credentials come from the environment": {"models_dir": "s3://key:secret@plant/models"},
    "https:host:8443/": {"on_verdict": "https://host:8443/x#secret_file=/nowhere"},
}
"""Settings with which a server cannot start, by a word of the reason."""

STARTS = """
import sys
from app.main import serve
from app.settings import Settings

for values in FAILURES.values():
    try:
        serve(Settings(**values))
    except SystemExit as end:  # Python prints the reason if nothing catches it
        print(end.code, file=sys.stderr)
"""


def test_startup_failures_and_mistyped_variables_take_one_line_each(tmp_path: Path) -> None:
    """One process fails to start several times: the imports take longer than a start."""
    environment = os.environ | {"TESSERA_MODELS_DIR": str(tmp_path), "TESSERA_PORT": "0", "TESSERA_PROT": "1"}
    command = [sys.executable, "-W", "error", "-c", f"FAILURES = {FAILURES!r}\n{STARTS}"]
    ended = subprocess.run(command, env=environment, stderr=subprocess.PIPE, text=True, timeout=WAIT_S)
    lines = ended.stderr.splitlines()
    assert len(lines) == 2 * len(FAILURES), ended.stderr
    for warning, reason, named in zip(lines[::2], lines[1::2], FAILURES, strict=True):
        assert "TESSERA_PROT" in warning and "WARNING" in warning
        assert reason.startswith("tessera: ") and named in reason


def test_a_port_in_use_is_reported_in_one_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        environment = os.environ | {"TESSERA_MODELS_DIR": str(tmp_path), "TESSERA_PORT": str(port)}
        ended = subprocess.run(COMMAND, env=environment, stderr=subprocess.PIPE, text=True, timeout=WAIT_S)
    assert ended.returncode == 1
    assert ended.stderr.startswith("tessera: ") and ended.stderr.count("\n") == 1
    assert f"127.0.0.1 port {port}" in ended.stderr and os.strerror(errno.EADDRINUSE) in ended.stderr
    assert ended.stderr.endswith("; set another --port, or end the program that uses it\n")


@pytest.mark.slow
def test_8192_by_8192_pixels_are_answered_in_bounded_memory(large_models_dir: Path) -> None:
    with process(models_dir=large_models_dir) as (server, log):
        url = address(server, log)
        data = picture(8192, 8192, (120, 130, 140), "BMP")
        for path in ("patchcore/predict?include=heatmap,mask,tiles", "resized/heatmap"):
            answer = httpx2.post(f"{url}/v1/models/{path}", files={"image": data}, timeout=3600)
            assert answer.status_code == 200
        status = Path(f"/proc/{server.pid}/status").read_text()
        peak = re.search(r"VmHWM:\s+(\d+) kB", status)
        assert peak is not None
        assert int(peak[1]) < 4 * 2**20


def test_connections_send_small_packets_at_once() -> None:
    with listen("127.0.0.1", 0) as listener, socket.create_connection(listener.getsockname()):
        connection, _ = listener.accept()
        with connection:
            assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


@pytest.mark.parametrize(
    ("devices", "processors", "expected"),
    [("cpu", 16, 2), ("cuda", 16, 14), ("cuda:0 cuda:1", 16, 13), ("cuda", 2, 2), ("cpu cuda", 16, 2)],
)
def test_all_processors_that_gpus_leave_free_decode(devices: str, processors: int, expected: int) -> None:
    assert decode_processes([torch.device(name) for name in devices.split()], processors) == expected
