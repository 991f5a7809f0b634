"""The servers that are compared, each in a process of its own, on the loopback interface."""

import http.client
import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep

import psutil

from benchmarks.throughput.models import MODELS, MODULE

START_S = 300


@dataclass(frozen=True, slots=True)
class Server:
    """A server that is ready."""

    process: psutil.Process
    port: int
    predict: str  # the path of predictions
    map: str | None  # the path of maps; None if it has none
    field: str = "image"  # the form field of the picture
    described: str | None = None  # the path that describes how the model is run
    key: str | None = None  # the API key of its clients

    def execution(self) -> object:
        """The server's report on how it runs the model; None if it gives none."""
        if self.described is None:
            return None
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        headers = {"Authorization": f"Bearer {self.key}"} if self.key else {}
        connection.request("GET", self.described, headers=headers)
        return json.loads(connection.getresponse().read())["versions"][-1]["details"]["execution"]

    def peak_mib(self) -> float:
        """The peak resident memory of each of its processes so far, summed, in MiB."""
        family = [self.process, *self.process.children(recursive=True)]
        return sum(_peak_kib(each.pid) for each in family) / 1024


def _peak_kib(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next((int(line.split()[1]) for line in lines if line.startswith("VmHWM")), 0)


@contextmanager
def tessera(name: str, work: Path, *options: str) -> Iterator[Server]:
    """Yields this project's server with a model of `work`; `options` are those of `tessera serve`."""
    arguments = ["-m", "app", "serve", "--models_dir", str(work / name / MODELS), *options]
    with running(arguments, port_option="--port") as (process, port):
        described = f"/v1/models/{name}"
        yield Server(
            process, port, f"{described}/predict", f"{described}/anomaly-map?normalised=false", described=described
        )


@contextmanager
def fastapi(name: str, work: Path) -> Iterator[Server]:
    """anomalib behind FastAPI with a lock."""
    with running(["-m", "benchmarks.throughput.fastapi_server", str(work / name / MODULE)]) as (process, port):
        yield Server(process, port, "/predict", "/map")


@contextmanager
def litserve(name: str, work: Path) -> Iterator[Server]:
    """anomalib behind LitServe."""
    with running(["-m", "benchmarks.throughput.litserve_server", str(work / name / MODULE)], probe="/health") as (
        process,
        port,
    ):
        yield Server(process, port, "/predict", None, "request")


@contextmanager
def running(
    arguments: list[str], probe: str = "/readyz", port_option: str | None = None
) -> Iterator[tuple[psutil.Process, int]]:
    """Starts a server, and yields its process and port once `probe` answers 200; ends the server afterwards.

    The port is the last argument, after `port_option` if that is given. Raises RuntimeError if the server ends early
    or is not ready within START_S.
    """
    port = _free_port()
    command = [sys.executable, *arguments, *([port_option] if port_option else []), str(port)]
    process = subprocess.Popen(command, env=dict(os.environ), stdout=subprocess.DEVNULL)
    family = psutil.Process(process.pid)
    try:
        _await(process, port, probe)
        yield family, port
    finally:
        left = [*family.children(recursive=True), family]
        for each in left:
            each.terminate()
        for each in psutil.wait_procs(left, timeout=30)[1]:
            each.kill()
        process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def _await(process: subprocess.Popen[bytes], port: int, probe: str) -> None:
    deadline = monotonic() + START_S
    while monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"the server ended with status {process.returncode} before it was ready")
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            connection.request("GET", probe)
            if connection.getresponse().status == 200:
                return
        except OSError:
            pass
        sleep(0.2)
    raise RuntimeError(f"the server was not ready after {START_S} s")
