"""Addresses of databases of jobs, as the setting `jobs_database` gives them."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Self
from urllib.parse import parse_qsl

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from app.errors import InvalidJobs

EXAMPLE = "postgresql://tessera@db.example/tessera#password_file=FILE"
DRIVER = "postgresql+psycopg"
SCHEMES = {"postgresql", "postgres", DRIVER}
OPTIONS = ("password_file", "password_env")


@dataclass(frozen=True, slots=True)
class DatabaseAddress:
    """Where a database is.

    url: has no password
    name: names the database in messages and in the log
    password: reads the password, each time again, so that it may change; raises OSError; None: none is given
    """

    url: URL
    name: str
    password: Callable[[], str] | None = None

    @property
    def shared(self) -> bool:
        """Whether several servers may use the database at the same time."""
        return self.url.get_backend_name() != "sqlite"

    @classmethod
    def of_file(cls, path: Path) -> Self:
        """A SQLite database in a file."""
        return cls(URL.create("sqlite", database=str(path)), str(path))

    @classmethod
    def parse(cls, text: str) -> Self:
        """Reads the address of a PostgreSQL database; its fragment holds options, which are not sent.

        `#password_file=FILE` reads the password from a file, and `#password_env=NAME` from the environment. Raises
        InvalidJobs; its message does not repeat the text, which may hold a password.
        """
        base, _, fragment = text.partition("#")
        try:
            url = make_url(base)
            options = dict(parse_qsl(fragment, strict_parsing=bool(fragment)))
        except (ArgumentError, ValueError):
            raise InvalidJobs(f"jobs_database is not the address of a database; give one such as {EXAMPLE}") from None
        if url.drivername not in SCHEMES:
            raise InvalidJobs(f"jobs_database must begin with postgresql://; give an address such as {EXAMPLE}")
        if url.password is not None or "password" in url.query or "@" in (url.host or ""):
            raise InvalidJobs(
                "jobs_database has a password in its address, where processes and logs show it; give it by "
                f"#password_file=FILE or #password_env=NAME, such as {EXAMPLE}"
            )
        if not options.keys() <= set(OPTIONS):
            raise InvalidJobs(f"jobs_database has an option after # that is not known; known are {', '.join(OPTIONS)}")
        if find_spec("psycopg") is None:
            raise InvalidJobs("jobs_database needs the extra `postgres`: pip install 'psycopg[binary]'")
        return cls(url.set(drivername=DRIVER), _name(url), _password(options))


def _name(url: URL) -> str:
    host = url.host or url.query.get("host") or "localhost"
    port = f":{url.port}" if url.port else ""
    return f"{host}{port}/{url.database or url.username or ''}"


def _password(options: dict[str, str]) -> Callable[[], str] | None:
    if name := options.get("password_env"):
        if name not in os.environ:
            raise InvalidJobs(f"the environment variable {name}, which holds the password of jobs_database, is not set")
        return lambda: os.environ[name]
    if file := options.get("password_file"):
        path = Path(file)
        try:
            path.read_text()
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
            raise InvalidJobs(f"the password of jobs_database cannot be read from {path}: {reason}") from error
        return lambda: path.read_text().rstrip("\r\n")
    return None
