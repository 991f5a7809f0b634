"""Events for tests."""

import json

from app.events import Event, new_id


def event(number: int, size: int = 0) -> Event:
    """An event that carries its number, and has at least `size` bytes."""
    identity = new_id()
    body = {"id": identity, "type": "test.v1", "time": "2026-11-28T10:00:00.123Z", "number": number, "fill": "x" * size}
    return Event(identity, "test.v1", "2026-11-28T10:00:00.123Z", json.dumps(body).encode())
