"""What is told to other programs: verdicts, and other events of a line."""

from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import uuid4


@dataclass(frozen=True, slots=True)
class Event:
    """An event as it is delivered.

    id: the same for every delivery of this event, so that receivers can drop repetitions
    type: the name of the schema of `body`, with its version, such as tessera.verdict.v1
    time: when it happened: UTC, ISO 8601
    body: a JSON object in UTF-8 that contains `id`, `type` and `time`
    """

    id: str
    type: str
    time: str
    body: bytes


def new_id() -> str:
    """A new id of an event: 32 hexadecimal digits."""
    return uuid4().hex


def now() -> str:
    """The time of an event that happens now."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
