"""A PostgreSQL server of its own, as a process that listens on a Unix socket in a temporary folder only."""

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from pwd import getpwnam
from tempfile import mkdtemp

import pytest

PROGRAMS = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
UNPRIVILEGED = "nobody"
"""Runs the server if root runs the tests: PostgreSQL refuses root."""
FAST = "fsync=off", "full_page_writes=off", "shared_buffers=16MB", "max_connections=60"
HBA = "local all limited scram-sha-256\nlocal all all trust\n"


def missing() -> str:
    """Why no server can be started; empty: one can."""
    if not PROGRAMS:
        return "no PostgreSQL; scripts/install_postgresql.sh installs it"
    try:
        import psycopg  # noqa: F401
    except ImportError:
        return "no psycopg; the extra `postgres` has it"
    return ""


@dataclass
class PostgreSQL:
    """A server. Everybody who reaches its socket is its user `postgres`; the user `limited` needs a password."""

    folder: Path
    process: "subprocess.Popen[bytes] | None" = None
    names: Iterator[int] = field(default_factory=count)

    def start(self) -> None:
        """Starts the server, and returns when it takes connections."""
        options = [f"-c{each}" for each in (*FAST, "listen_addresses=", f"unix_socket_directories={self.folder}")]
        command = [str(PROGRAMS[-1] / "postgres"), "-D", str(self.folder / "data"), *options]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, user=_user())
        ready = [str(PROGRAMS[-1] / "pg_isready"), "-q", "-t", "30", "-h", str(self.folder)]
        while subprocess.run(ready).returncode:
            assert self.process.poll() is None, (self.folder / "log").read_text()

    def stop(self) -> None:
        """Ends the server, and the connections with it, without notice."""
        assert self.process is not None
        self.process.send_signal(signal.SIGQUIT)
        self.process.wait()

    def database(self) -> str:
        """The address of a new database."""
        name = f"jobs{next(self.names)}"
        self.run(f"CREATE DATABASE {name}", "postgres")
        return self.address(name)

    def address(self, name: str, user: str = "postgres") -> str:
        return f"postgresql://{user}@/{name}?host={self.folder}"

    def run(self, statements: str, database: str) -> str:
        """Runs statements as `postgres`; returns what they print."""
        options = "-qAtX", "-v", "ON_ERROR_STOP=1", "-h", str(self.folder), "-U", "postgres", "-d", database
        command = [str(PROGRAMS[-1] / "psql"), *options, "-c", statements]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def _user() -> str | None:
    return UNPRIVILEGED if os.getuid() == 0 else None


@contextmanager
def postgresql() -> Iterator[PostgreSQL]:
    """Yields a server that runs; skips the test where there is none."""
    if reason := missing():
        pytest.skip(reason)
    folder = Path(mkdtemp(prefix="tessera-postgresql-", dir="/tmp"))  # the path of a socket is short
    try:
        if os.getuid() == 0:
            os.chown(folder, getpwnam(UNPRIVILEGED).pw_uid, -1)
        options = "-U", "postgres", "-A", "trust", "--no-sync", "--encoding", "UTF8", "--no-locale"
        initdb = [str(PROGRAMS[-1] / "initdb"), "-D", str(folder / "data"), *options]
        subprocess.run(initdb, check=True, capture_output=True, user=_user())
        (folder / "data/pg_hba.conf").write_text(HBA)
        server = PostgreSQL(folder)
        server.start()
        try:
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder)
