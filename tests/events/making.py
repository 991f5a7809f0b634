"""Events for tests."""

import json
import subprocess
from pathlib import Path

from app.events import Event, new_id


def event(number: int, size: int = 0) -> Event:
    """An event that carries its number, and has at least `size` bytes."""
    identity = new_id()
    body = {"id": identity, "type": "test.v1", "time": "2026-11-28T10:00:00.123Z", "number": number, "fill": "x" * size}
    return Event(identity, "test.v1", "2026-11-28T10:00:00.123Z", json.dumps(body).encode())


def certificate(folder: Path) -> Path:
    """A new certificate for `localhost`, signed by itself; its key is `key.pem` in the folder."""
    made = folder / "certificate.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-days", "2"]
    files = ["-keyout", str(folder / "key.pem"), "-out", str(made)]
    subprocess.run([*command, *names, *files], check=True, capture_output=True)
    return made
