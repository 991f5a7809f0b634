"""`tessera keys`."""

import os
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from jsonargparse import ArgumentParser, Namespace
from rich.console import Console
from rich.table import Table

from app.cli.usage import UsageError
from app.errors import InvalidKeys
from app.files import locked
from app.keys import NAME, ApiKey, Scope, digest_of, new_secret, read_keys, write_keys
from app.terminal import print_line

VARIABLE = "TESSERA_KEYS_FILE"
FILE = Path("keys.json")


def parser() -> ArgumentParser:
    parser = ArgumentParser(description="Make, list and revoke the API keys of a server.")
    parser.add_argument(
        "action", choices=("new", "list", "revoke"), help="new prints a key once, list shows all, revoke removes one"
    )
    parser.add_argument(
        "--keys_file", type=Path | None, default=None, help=f"the file; default: {VARIABLE}, or else {FILE}"
    )
    parser.add_argument("--name", type=str | None, default=None, help="who uses the key, such as camera-3")
    parser.add_argument("--scope", type=Scope, default=Scope.predict, help="new: what it allows; admin allows all")
    parser.add_argument("--days", type=int | None, default=None, help="new: how long it is valid; default: for ever")
    parser.add_argument(
        "--tiles_per_s", type=float | None, default=None, help="new: the tiles that it may have computed in a second"
    )
    parser.add_argument("--id", type=str | None, default=None, help="revoke: the key, if several have the name")
    return parser


def run(options: Namespace) -> int:
    """Makes, lists or revokes keys. Raises InvalidKeys, UsageError or OSError."""
    path = options.keys_file or Path(os.environ.get(VARIABLE) or FILE)
    if options.action == "list":
        _show(read_keys(path))
        return 0
    if options.name is None:
        raise UsageError("--name is missing", hint=f"example: tessera keys {options.action} --name camera-3")
    path.parent.mkdir(parents=True, exist_ok=True)
    with locked(path.parent, wait=True):  # two commands at once must not lose a key
        if options.action == "new":
            _add(path, options)
        else:
            _revoke(path, options.name, options.id)
    return 0


def _add(path: Path, options: Namespace) -> None:
    if not NAME.fullmatch(options.name):
        raise UsageError(f"--name {options.name!r}: use up to 64 letters, digits, dots, hyphens and underscores")
    if options.days is not None and options.days < 1:
        raise UsageError(f"--days {options.days}: give at least 1")
    if options.tiles_per_s is not None and not 0 < options.tiles_per_s < float("inf"):
        raise UsageError(f"--tiles_per_s {options.tiles_per_s:g}: give a number over 0")
    secret, now = new_secret(), datetime.now(UTC)
    expires = None if options.days is None else now + timedelta(days=options.days)
    key = ApiKey(options.name, options.scope, digest_of(secret), now, expires, options.tiles_per_s)
    write_keys(path, [*(read_keys(path) if path.exists() else []), key])
    print_line(f"key {key.id} of {key.name} ({key.scope}) is in {path}; it is shown this once:")
    print(secret, flush=True)


def _revoke(path: Path, name: str, id_: str | None) -> None:
    keys = read_keys(path)
    named = [key for key in keys if key.name == name and id_ in (None, key.id)]
    if not named:
        known = ", ".join(sorted({f"{key.name} ({key.id})" for key in keys})) or "none"
        raise InvalidKeys(f"{path} has no key {name}{f' ({id_})' if id_ else ''}; it has: {known}")
    if len(named) > 1:
        raise InvalidKeys(f"{name} has several keys; choose one by --id: {', '.join(key.id for key in named)}")
    write_keys(path, [key for key in keys if key is not named[0]])
    print_line(f"key {named[0].id} of {name} is revoked; servers refuse it within a second")


def _show(keys: Sequence[ApiKey]) -> None:
    now, table = datetime.now(UTC), Table("name", "id", "scope", "created", "expires", "tiles/s", "state")
    for key in keys:
        table.add_row(
            key.name,
            key.id,
            key.scope.value,
            f"{key.created:%Y-%m-%d}",
            f"{key.expires:%Y-%m-%d %H:%M} UTC" if key.expires else "never",
            f"{key.tiles_per_s:g}" if key.tiles_per_s else "",
            "expired" if key.is_expired(now) else "valid",
        )
    Console(highlight=False, width=None if sys.stdout.isatty() else 200).print(table)
