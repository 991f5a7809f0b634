"""`default.json` in the model repository: the model that the name `default` means.

It is written when a second model joins the only one, so that `default` keeps its meaning.
"""

from contextlib import suppress
from pathlib import Path
from typing import Literal

from pydantic import Field

from app.artifacts.record import Record, read_record, record_content, write_record
from app.errors import InvalidServing
from app.files import locked

DEFAULT_FILE = "default.json"


class _Default(Record):
    schema_version: Literal[1] = 1
    model: str = Field(max_length=255)


def read_default(root: Path) -> str | None:
    """The recorded model, or None if none is recorded; raises InvalidServing."""
    remedy = "restore it, or remove it and set default_model"
    found = read_record(_Default, root / DEFAULT_FILE, "what `default` means", remedy)
    return None if found is None else found.model


def default_content(name: str) -> bytes:
    """The content of the file that records a model."""
    return record_content(_Default(model=name))


def record_default(root: Path, name: str) -> None:
    """Records the model that `default` means, unless one is recorded; raises OSError."""
    with locked(root, wait=True), suppress(InvalidServing):  # a damaged file is left for a person
        if read_default(root) is None:
            write_record(root / DEFAULT_FILE, _Default(model=name))
