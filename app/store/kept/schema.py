"""The table of kept pictures, and its version."""

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Double,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    func,
    insert,
    inspect,
    select,
)

from app.errors import InvalidPictures
from app.store.properties import metadata as _shared
from app.store.properties import properties
from app.store.schema import MAKING

SCHEMA = 1
"""The version of the table. A table of a later version is refused."""
FOLDER = "pictures folder"
"""The property that names the folder of the files."""
_VERSION = "pictures schema"

_metadata = MetaData()

kept = Table(
    "kept_pictures",
    _metadata,
    Column("number", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("id", Text, nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("digest", Text, nullable=False),
    Column("format", Text, nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("height", Integer, nullable=False),
    Column("width", Integer, nullable=False),
    Column("model", Text, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("model_digest", Text, nullable=False),
    Column("score", Double, nullable=False),
    Column("threshold", Double, nullable=False),
    Column("uncertainty", Double, nullable=False),
    Column("label", Text, nullable=False),
    Column("regions", Text, nullable=False),
    Column("region_count", Integer, nullable=False),
    Column("request_id", Text, nullable=False),
    Column("kept_s", Double, nullable=False),
    Column("rule", Text, nullable=False),
    Column("review", Text),
    Column("reviewed_s", Double),
    Column("revision", Integer, nullable=False),
    Index("kept_once", "model", "digest", unique=True),
    Index("kept_by_uncertainty", "uncertainty", "number"),
    sqlite_autoincrement=True,
)
"""regions: those of the verdict, as JSON
review, reviewed_s: as JSON, and when it was made; NULL: there is none
"""


def make_tables(connection: Connection, name: str) -> None:
    """Makes the table. `name` names the database in messages. Raises InvalidPictures for one of a later version."""
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_advisory_xact_lock(MAKING)))
    found = _version(connection)
    if found > SCHEMA:
        raise InvalidPictures(
            f"the kept pictures in {name} were written by a later version of Tessera (schema {found}, and this one "
            f"knows {SCHEMA}); serve them by that version, or name another pictures_dir and another database"
        )
    if found == SCHEMA:
        return
    _shared.create_all(connection)
    _metadata.create_all(connection)
    rows = {_VERSION: str(SCHEMA), FOLDER: ""}
    connection.execute(insert(properties), [{"name": name, "value": value} for name, value in rows.items()])


def _version(connection: Connection) -> int:
    """The version of the table; 0: there is none."""
    if properties.name not in inspect(connection).get_table_names():
        return 0
    return int(connection.scalar(select(properties.c.value).where(properties.c.name == _VERSION)) or 0)
