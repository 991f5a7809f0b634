"""Files of keys: JSON with the digests of the secrets, never the secrets."""

import json
import shutil
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from app.errors import InvalidKeys
from app.files import read_regular, replacing
from app.keys.key import NAME, ApiKey, Scope

MAX_BYTES = 2**20
MAX_KEYS = 1000
"""Each request compares its key with all keys, in less than a millisecond."""


def _utc(time: datetime) -> datetime:
    return time.astimezone(UTC)


_Time = Annotated[AwareDatetime, AfterValidator(_utc)]


class _Key(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str = Field(pattern=f"^{NAME.pattern}$")
    scope: Scope
    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    created: _Time
    expires: _Time | None = None
    tiles_per_s: float | None = Field(default=None, gt=0, allow_inf_nan=False)


class _Keys(BaseModel):
    model_config = ConfigDict(extra="forbid")

    format: Literal[1] = Field(alias="schema")
    keys: list[_Key] = Field(max_length=MAX_KEYS)


def parse_keys(content: bytes | str, source: str) -> list[ApiKey]:
    """The keys in the content of a file; raises InvalidKeys, which names `source`."""
    try:
        found = _Keys.model_validate_json(content)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise InvalidKeys(f"{source} has no valid keys: {place + ': ' if place else ''}{first['msg']}") from error
    keys = [
        ApiKey(each.name, each.scope, bytes.fromhex(each.sha256), each.created, each.expires, each.tiles_per_s)
        for each in found.keys
    ]
    if len({key.digest for key in keys}) < len(keys):
        raise InvalidKeys(f"{source} has the same key twice; remove one of the two entries")
    return keys


def read_keys(path: Path) -> list[ApiKey]:
    """The keys in a file; raises InvalidKeys."""
    return parse_keys(content_of(path), str(path))


def content_of(path: Path) -> bytes:
    """The content of a file of keys; raises InvalidKeys."""
    try:
        return read_regular(path, MAX_BYTES)
    except OSError as error:
        raise InvalidKeys(f"{path} cannot be read: {error.strerror or error}") from error


def write_keys(path: Path, keys: Sequence[ApiKey]) -> None:
    """Replaces the file at once; a server never reads a part of it. An existing file's mode stays. Raises OSError."""
    entries = [
        {
            "name": key.name,
            "scope": key.scope.value,
            "sha256": key.digest.hex(),
            "created": _text(key.created),
            "expires": _text(key.expires) if key.expires else None,
            "tiles_per_s": key.tiles_per_s,
        }
        for key in keys
    ]
    with replacing(path) as temporary:
        temporary.write_text(json.dumps({"schema": 1, "keys": entries}, indent=2) + "\n")
        if path.exists():
            shutil.copymode(path, temporary)


def _text(time: datetime) -> str:
    return time.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
