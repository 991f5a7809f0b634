"""Asks a server and an idle control server for `/livez` in turn, from a process of its own.

    python -m benchmarks.torture.probes PORT PORT

The control shows how much of a delay is the machine's. A client in the same process as the load would measure its own
interpreter. For each line on its input the process writes the times since the last one, as JSON.
"""

import json
import select
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median
from time import monotonic, sleep

EVERY_S = 0.05
TIMEOUT_S = 30.0


@dataclass(frozen=True, slots=True)
class Liveness:
    """The times of probes, in seconds, of a server and of the idle one beside it; failed probes are only counted."""

    server_s: tuple[float, ...]
    control_s: tuple[float, ...]
    failed: int

    @property
    def slowest_s(self) -> float:
        return round(max(self.server_s, default=0.0), 3)

    @property
    def control_slowest_s(self) -> float:
        return round(max(self.control_s, default=0.0), 3)

    def figures(self) -> dict[str, object]:
        """The figures for a table."""
        return {
            "livez_median_s": round(median(self.server_s or (0.0,)), 3),
            "livez_max_s": self.slowest_s,
            "control_livez_max_s": self.control_slowest_s,
            "livez_failed": self.failed,
            "livez_probes": len(self.server_s),
        }

    def faults(self, limit_s: float) -> list[str]:
        """What is wrong, if a probe takes longer than the limit and than twice the slowest one of the control."""
        found = [f"{self.failed} probes failed"] if self.failed else []
        if self.slowest_s > max(limit_s, 2 * self.control_slowest_s):
            found.append(f"/livez took {self.slowest_s} s beside {self.control_slowest_s} s of the idle control")
        return found


class Probes:
    """The process that probes; `take` returns what it measured since the last call."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def take(self) -> Liveness:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write("take\n")
        self._process.stdin.flush()
        server_s, control_s, failed = json.loads(self._process.stdout.readline())
        return Liveness(tuple(server_s), tuple(control_s), failed)


@contextmanager
def probing(port: int, control: int) -> Iterator[Probes]:
    """Probes the servers at these ports."""
    command = [sys.executable, "-m", "benchmarks.torture.probes", str(port), str(control)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield Probes(process)
        finally:
            process.terminate()


def main() -> None:
    ports = [int(word) for word in sys.argv[1:3]]
    times: list[list[float]] = [[], []]
    failed = 0
    while True:
        for port, seconds in zip(ports, times, strict=True):
            started = monotonic()
            if is_alive(port):
                seconds.append(round(monotonic() - started, 4))
            elif port == ports[0]:
                failed += 1
        if select.select([sys.stdin], [], [], 0)[0]:
            if not sys.stdin.readline():
                return
            print(json.dumps([*times, failed]), flush=True)
            times, failed = [[], []], 0
        sleep(EVERY_S)


def is_alive(port: int) -> bool:
    """Whether a server answers 200, over a new connection."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT_S) as connection:
            connection.sendall(b"GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            return connection.recv(100).startswith(b"HTTP/1.1 200 ")
    except OSError:
        return False


if __name__ == "__main__":
    main()
