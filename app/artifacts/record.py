"""Records in a model repository: small JSON files that say what people and programs chose and did.

A record is replaced as a whole, under the lock of its directory. A damaged one is left for a person.
"""

import os
from getpass import getuser
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from app.errors import InvalidServing
from app.files import flush, read_regular, replacing

MOST_BYTES = 128 * 2**10


class Record(BaseModel):
    """The content of a record, or a part of it."""

    model_config = ConfigDict(extra="forbid", frozen=True)


R = TypeVar("R", bound=Record)


def read_record(kind: type[R], path: Path, meaning: str, remedy: str) -> R | None:
    """The content of a record; None if there is no file.

    Raises InvalidServing for a file that cannot be used. Its message has what the file says (`meaning`), and what to do
    (`remedy`).
    """
    try:
        return kind.model_validate_json(read_regular(path, MOST_BYTES))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        reason = error.strerror or str(error)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "the file"
        reason = f"{place[:100]}: {first['msg'][:200]}"
    rest = f"which says {meaning}, cannot be used ({reason}); {remedy}"
    raise InvalidServing(f"{path}, {rest}", plain=f"{path.name}, {rest}")


def write_record(path: Path, record: Record) -> None:
    """Replaces a record. The caller holds the lock of its directory. Servers of other users may read it."""
    with replacing(path) as temporary:
        temporary.write_bytes(record_content(record))
        temporary.chmod(0o644)
    flush(path.parent)


def record_content(record: Record) -> bytes:
    """The content of a record's file."""
    return f"{record.model_dump_json(indent=2)}\n".encode()


def user() -> str:
    """The name of the user who runs this process, or the number of a user without a name."""
    try:
        return getuser()[:100]
    except (KeyError, OSError):  # in a container, a user may have a number only
        return f"user {os.getuid()}"
