"""The tables of jobs, and their versions."""

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Double,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    func,
    insert,
    inspect,
    select,
    text,
)
from sqlalchemy.schema import CreateColumn

from app.errors import InvalidJobs
from app.store.properties import metadata as _shared
from app.store.properties import properties

SCHEMA = 2
"""The version of the tables. Tables of an earlier version are migrated, and those of a later one are refused.

1: of servers that used SQLite only; it has no leases
"""
MAKING = 0x7E55E4A
"""The advisory lock of PostgreSQL under which one server at a time makes the tables."""
ADMISSION, EXPIRY = "admission", "expiry"
"""The turns: what one server does at a time. The row of each in `properties` is locked meanwhile."""
FOLDER = "folder"
"""The property that names the folder of the files."""
_VERSION = "schema"

_metadata = MetaData()
_NUMBER = BigInteger().with_variant(Integer, "sqlite")  # SQLite counts in columns of the type INTEGER only

jobs = Table(
    "jobs",
    _metadata,
    Column("number", _NUMBER, primary_key=True),
    Column("id", Text, nullable=False, unique=True),
    Column("owner", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("digest", Text, nullable=False),
    Column("question", Text, nullable=False),
    Column("created_s", Double, nullable=False),
    Column("changed_s", Double, nullable=False),
    Column("expires_s", Double, nullable=False),
    Column("reserved_bytes", BigInteger, nullable=False),
    Column("starts", Integer, nullable=False),
    Column("server", Text, nullable=False, server_default=""),
    Column("lease_s", Double, nullable=False, server_default="0"),
    Column("fence", BigInteger, nullable=False, server_default="0"),
    Index("jobs_by_state", "state"),
    sqlite_autoincrement=True,
)
"""server, lease_s: the server that works on the job, and the end of its lease, by the database's clock
fence: rises each time a server begins; a server that has an earlier number has lost the job
"""
pictures = Table(
    "pictures",
    _metadata,
    Column("job", Text, ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("name", Text, nullable=False),
    Column("path", Text),
    Column("length", BigInteger, nullable=False),
    Column("offset", BigInteger, nullable=False),
    Column("state", Text, nullable=False),
    Column("height", Integer),
    Column("width", Integer),
    Column("stage", Text, nullable=False),
    Column("done", Integer, nullable=False),
    Column("total", Integer, nullable=False),
    Column("regions", Integer, nullable=False),
    Column("furthest", Integer, nullable=False),
    Column("code", Text),
    Column("message", Text),
    sqlite_with_rowid=False,
)
events = Table(
    "events",
    _metadata,
    Column("number", _NUMBER, primary_key=True),
    Column("job", Text, ForeignKey("jobs.id", ondelete="CASCADE"), nullable=False),
    Column("picture", Integer),
    Column("type", Text, nullable=False),
    Column("body", Text, nullable=False),
    Index("events_by_job", "job"),
    sqlite_autoincrement=True,
)


def make_tables(connection: Connection, name: str) -> None:
    """Makes the tables, or migrates those of an earlier version.

    `name` names the database in messages. Raises InvalidJobs for tables of a later version.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_advisory_xact_lock(MAKING)))
    found = _version(connection)
    if found > SCHEMA:
        raise InvalidJobs(
            f"{name} was written by a later version of Tessera (schema {found}, and this one knows {SCHEMA}); "
            "serve it by that version, or name another database (jobs_database), or another jobs_dir"
        )
    if found == SCHEMA:
        return
    if found:
        _add_columns(connection)
    _shared.create_all(connection)
    _metadata.create_all(connection)
    rows = {_VERSION: str(SCHEMA), FOLDER: "", ADMISSION: "", EXPIRY: ""}
    connection.execute(insert(properties), [{"name": name, "value": value} for name, value in rows.items()])
    if connection.dialect.name == "sqlite":  # where servers that know schema 1 only look for the version
        connection.execute(text(f"PRAGMA user_version={SCHEMA}"))


def _version(connection: Connection) -> int:
    """The version of the tables; 0: there are none."""
    names = inspect(connection).get_table_names()
    if properties.name in names:
        return int(connection.scalar(select(properties.c.value).where(properties.c.name == _VERSION)) or 0)
    return 1 if jobs.name in names else 0


def _add_columns(connection: Connection) -> None:
    """Adds the columns that version 1 does not have."""
    present = {column["name"] for column in inspect(connection).get_columns(jobs.name)}
    for column in jobs.columns:
        if column.name not in present:
            described = CreateColumn(column).compile(dialect=connection.dialect)
            connection.execute(text(f"ALTER TABLE {jobs.name} ADD COLUMN {described}"))
