"""Server processes that are attacked."""

import os
import re
import resource
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic, sleep

from benchmarks.torture.clients import Request, send
from benchmarks.torture.family import holdings

ROOT = Path(__file__).parent.parent.parent
READY_S = 180.0
IDLE_S = 30.0
END_S = 30.0
POOL_THREADS = 9
"""The pools of the server start threads when all are busy: up to six of asyncio here, two to draw, and one for JSON."""


@dataclass(frozen=True, slots=True)
class Served:
    """A server that is ready.

    temporary: its directory for temporary files
    """

    process: "subprocess.Popen[bytes]"
    port: int
    models: Path
    log: Path
    temporary: Path

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def gauges(self) -> dict[str, float]:
        """What requests hold of the budgets, the queue and the lanes, by the names in `/metrics`."""
        text = send(self.port, Request("GET", "/metrics")).body.decode()
        kept = ("tessera_budget_used", "tessera_queue_tiles", "tessera_in_flight")
        lines = (line.rpartition(" ") for line in text.splitlines() if line.startswith(kept))
        return {name: float(value) for name, _, value in lines}

    def settle(self) -> dict[str, float]:
        """Waits until nothing is held, and returns what is still held after IDLE_S."""
        end = monotonic() + IDLE_S
        while held := {name: value for name, value in self.gauges().items() if value}:
            if monotonic() > end:
                break
            sleep(0.1)
        return held

    def left(self, before_files: int, before_threads: int, before_processes: int) -> list[str]:
        """What an idle server holds beyond these numbers, in words. Connections may stay open for five seconds."""
        end = monotonic() + IDLE_S
        while True:
            now = holdings(self.pid)
            pairs = (
                ("files", now.files, before_files),
                ("threads", now.threads, before_threads),
                ("processes", now.processes, before_processes),
            )
            more = [f"{count - before} more {name}" for name, count, before in pairs if count > before]
            if not more or monotonic() > end:
                return more
            sleep(0.5)

    def errors(self) -> list[str]:
        """What the log reports as an internal error: critical lines, and tracebacks with their error."""
        lines = self.log.read_text(errors="replace").splitlines()
        found = [line[:300] for line in lines if " CRITICAL " in line]
        for number, line in enumerate(lines):
            if line.startswith("Traceback"):
                rest = lines[number + 1 :]
                ended = next((each for each in rest if not each.startswith((" ", "\t"))), "")
                place = next((each.strip() for each in rest if each.startswith("  File ") and "/app/" in each), "")
                found.append(f"{ended[:300]} ({place})")
        return found


@contextmanager
def served(models: Path, *options: str, files: int | None = None) -> Iterator[Served]:
    """Yields a server of these models. `options` are those of `tessera serve`; `files`: its limit of open files."""
    command = [sys.executable, "-m", "app", "serve", "--models_dir", str(models), "--port", "0", "--device", "cpu"]

    def limit() -> None:
        if files is not None:
            resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))

    with TemporaryDirectory(prefix="tessera-torture-") as name:
        log, temporary = Path(name) / "log", Path(name) / "temporary"
        temporary.mkdir()
        with log.open("wb") as stream:
            process = subprocess.Popen(
                [*command, *options],
                stderr=stream,
                cwd=ROOT,
                preexec_fn=limit,
                env=_environment(temporary),
            )
        try:
            yield Served(process, _ready_port(process, log), models, log, temporary)
        finally:
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(END_S)
            process.kill()
            process.wait()


def _environment(temporary: Path) -> dict[str, str]:
    return os.environ | {"TMPDIR": str(temporary)}


def _ready_port(process: "subprocess.Popen[bytes]", log: Path) -> int:
    end = monotonic() + READY_S
    while monotonic() < end and process.poll() is None:
        if found := re.search(r"on http://\S+?:(\d+),", log.read_text()):
            port = int(found[1])
            if send(port, Request("GET", "/readyz")).status == 200:
                return port
        sleep(0.1)
    raise RuntimeError(f"the server was not ready in {READY_S} s: {log.read_text()[-2000:]}")
