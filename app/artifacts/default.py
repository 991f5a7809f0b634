"""`default.json` in the model repository: the model that the name `default` means.

It is written when a second model joins the only one, so that `default` keeps its meaning.
"""

from contextlib import suppress
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from app.errors import InvalidServing
from app.files import flush, locked, read_regular, replacing

DEFAULT_FILE = "default.json"
MOST_BYTES = 4096


class _Default(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    schema_version: Literal[1] = 1
    model: str = Field(max_length=255)


def read_default(root: Path) -> str | None:
    """The recorded model, or None if none is recorded; raises InvalidServing."""
    path = root / DEFAULT_FILE
    try:
        return _Default.model_validate_json(read_regular(path, MOST_BYTES)).model
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        reason = error.strerror or str(error)
    except ValidationError as error:
        reason = error.errors()[0]["msg"][:200]
    raise InvalidServing(
        f"{path}, which says what `default` means, cannot be used ({reason}); restore it, or remove it and set "
        "default_model"
    )


def record_default(root: Path, name: str) -> None:
    """Records the model that `default` means, unless one is recorded; raises OSError."""
    with locked(root, wait=True), suppress(InvalidServing):  # a damaged file is left for a person
        if read_default(root) is None:
            with replacing(root / DEFAULT_FILE) as temporary:
                temporary.write_text(_Default(model=name).model_dump_json() + "\n", encoding="utf-8")
                temporary.chmod(0o644)
            flush(root)
