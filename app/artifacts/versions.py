"""`.versions.json` beside the versions of a model: which numbers were used, and who wrote and deleted versions.

`serving.json` has the highest number, too: numbers are not used again if either file is lost. Servers do not read this
file.
"""

from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from pydantic import Field

from app.artifacts.record import Record, read_record, user, write_record

VERSIONS = ".versions.json"
KEPT_EVENTS = 100
"""The length of the history. The oldest events are dropped."""

VersionAction = Literal["write", "copy", "delete"]


class VersionEvent(Record):
    """A version was written or deleted.

    at: the time, UTC, ISO 8601
    by: the name of the user
    version: the number of the version
    source: the version that it was made from, as `NAME:VERSION`; empty: none
    """

    at: str = Field(max_length=40)
    by: str = Field(max_length=100)
    action: VersionAction
    version: int = Field(ge=1)
    source: str = Field(default="", max_length=300)


class Versions(Record):
    """The content of the file.

    highest: the highest number that a version of the model ever had
    """

    schema_version: Literal[1] = 1
    highest: int = Field(default=0, ge=0)
    history: tuple[VersionEvent, ...] = Field(default=(), max_length=KEPT_EVENTS)


def read_versions(model: Path) -> Versions:
    """The record of a model's directory, or an empty one if there is no file; raises InvalidServing."""
    remedy = "restore it, or remove it: serving.json has the highest number, too"
    found = read_record(Versions, model / VERSIONS, "which numbers of versions were used", remedy)
    return Versions() if found is None else found


def add_event(model: Path, action: VersionAction, version: int, source: str, highest: int, by: str = "") -> None:
    """Records an event, and the highest number. The caller holds the lock of the model's directory.

    by: empty: the user of the process
    """
    at = datetime.now(UTC).isoformat(timespec="milliseconds")
    event = VersionEvent(at=at, by=by or user(), action=action, version=version, source=source)
    history = (*read_versions(model).history[1 - KEPT_EVENTS :], event)
    write_record(model / VERSIONS, Versions(highest=highest, history=history))
