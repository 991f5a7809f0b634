"""`serving.json` beside the versions of a model: which version serves, and which numbers were used.

Without the file, the newest version serves. Each change is made under the lock of the model's directory, by a new file
that replaces the old one.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from pydantic import Field

from app.artifacts.record import Record, read_record, write_record

SERVING = "serving.json"
KEPT_CHANGES = 100
"""The length of the history. The oldest changes are dropped."""

Action = Literal["promote", "pin", "rollback", "unpin"]


class Change(Record):
    """A change of the version that serves. `after` is None if from then on the newest version serves.

    at: the time, UTC, ISO 8601
    by: the name of the user, or of the program that made the change by itself
    """

    at: str = Field(max_length=40)
    by: str = Field(max_length=100)
    action: Action
    before: int | None
    after: int | None


class Serving(Record):
    """The content of the file.

    pinned: the version that serves requests without a version; None: the newest version serves
    highest: the highest number that a version of the model ever had; `.versions.json` has it, too
    """

    schema_version: Literal[1] = 1
    pinned: int | None = Field(default=None, ge=1)
    highest: int = Field(default=0, ge=0)
    history: tuple[Change, ...] = Field(default=(), max_length=KEPT_CHANGES)

    def changed(self, action: Action, before: int | None, after: int | None, by: str) -> "Serving":
        """The record after a change."""
        at = datetime.now(UTC).isoformat(timespec="milliseconds")
        change = Change(at=at, by=by, action=action, before=before, after=after)
        return self.model_copy(
            update={"pinned": after, "history": (*self.history[1 - KEPT_CHANGES :], change)},
        )


def read_serving(model: Path) -> Serving:
    """The record of a model's directory, or an empty one if there is no file; raises InvalidServing."""
    remedy = "restore it, or remove it and promote a version"
    found = read_record(Serving, model / SERVING, "which version serves", remedy)
    return Serving() if found is None else found


def write_serving(model: Path, record: Serving) -> None:
    """Replaces the file. The caller holds the lock of the model's directory."""
    write_record(model / SERVING, record)


def served_before(history: Sequence[Change], live: int, existing: Sequence[int]) -> int | None:
    """The version that a rollback brings back: the existing one that served before `live`, or else the next older one.

    A rollback takes its version off the list, so that a second rollback goes one further back.
    """
    served: list[int] = []
    for change in history:
        if change.action == "rollback":
            while served and served[-1] != change.after:
                served.pop()
        elif change.before is not None and served[-1:] != [change.before]:
            served.append(change.before)
        if change.after is not None and served[-1:] != [change.after]:
            served.append(change.after)
    while served and served[-1] == live:
        served.pop()
    earlier = [version for version in served if version in existing and version != live]
    return earlier[-1] if earlier else max((version for version in existing if version < live), default=None)
