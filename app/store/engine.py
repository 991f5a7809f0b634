"""Connections to SQLite and PostgreSQL."""

import sqlite3
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError

from app.store.address import DatabaseAddress

BUSY_S = 30.0
"""How long a transaction of SQLite waits for that of another thread."""
CONNECTIONS = 10
"""The most connections of a server to PostgreSQL."""
KEPT_CONNECTIONS = 4
POOL_S = 10.0
"""How long a transaction waits for a connection."""
CONNECTING = {
    "application_name": "tessera",
    "connect_timeout": "5",
    "tcp_user_timeout": "10000",
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "options": "-c statement_timeout=20s -c lock_timeout=10s -c idle_in_transaction_session_timeout=60s",
}
"""Parameters of libpq, unless the address has them: a database that is unreachable is noticed, and a server that was
suspended within a transaction holds up the others for a minute at most.
"""
_PRAGMAS = "journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"  # what was accepted survives a loss of power
_BUSY_STATES = {"40001", "40P01", "55P03"}  # serialization_failure, deadlock_detected, lock_not_available


def engine_of(address: DatabaseAddress) -> Engine:
    """The engine of a database; it connects when it is used. Parameters of statements are in no message."""
    if not address.shared:
        engine = create_engine(address.url, hide_parameters=True, connect_args={"timeout": BUSY_S})
        event.listen(engine, "connect", _set_up_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        return engine
    engine = create_engine(
        address.url,
        hide_parameters=True,
        isolation_level="READ COMMITTED",
        pool_size=KEPT_CONNECTIONS,
        max_overflow=CONNECTIONS - KEPT_CONNECTIONS,
        pool_timeout=POOL_S,
        pool_pre_ping=True,
        connect_args={name: value for name, value in CONNECTING.items() if name not in address.url.query},
    )
    if address.password is not None:
        password = address.password

        def add_password(dialect: Any, record: Any, arguments: Any, parameters: dict[str, Any]) -> None:
            try:
                parameters["password"] = password()
            except (OSError, UnicodeDecodeError) as error:
                raise engine.dialect.loaded_dbapi.OperationalError("the file of the password cannot be read") from error

        event.listen(engine, "do_connect", add_password)
    return engine


def is_busy(error: DBAPIError) -> bool:
    """Whether the database works, and other transactions hold what this one needs."""
    own = error.orig
    if isinstance(own, sqlite3.Error):
        return getattr(own, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY
    return getattr(own, "sqlstate", None) in _BUSY_STATES


def _set_up_sqlite(connection: sqlite3.Connection, _: object) -> None:
    try:
        connection.isolation_level = None  # transactions begin as `_begin_sqlite` says
        for pragma in _PRAGMAS:
            connection.execute(f"PRAGMA {pragma}").close()
    except BaseException:
        connection.close()
        raise


def _begin_sqlite(connection: Connection) -> None:
    """A transaction that writes takes the lock at once: a later one could have read what has changed since."""
    reading = connection.get_execution_options().get("tessera_reading", False)
    connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")
