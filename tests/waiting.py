"""Waiting, with limits that suit a busy machine."""

import re
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2

WAIT_S = 180.0


def wait_until(condition: Callable[[], bool]) -> None:
    """Returns once the condition holds; fails after `WAIT_S`."""
    deadline = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def address(server: subprocess.Popen[Any], log: Path, probe: str = "readyz") -> str:
    """The URL of a server process that logs to this file. Waits until the probe succeeds; fails after `WAIT_S`.

    A server without a model answers to `livez` only.
    """
    deadline = time.monotonic() + WAIT_S
    while time.monotonic() < deadline:
        assert server.poll() is None, log.read_text()
        if found := re.search(r"on (http://127\.0\.0\.1:\d+)", log.read_text()):
            try:
                if httpx2.get(f"{found[1]}/{probe}").status_code == 200:
                    return found[1]
            except httpx2.TransportError:
                pass
        time.sleep(0.05)
    raise AssertionError(log.read_text())
