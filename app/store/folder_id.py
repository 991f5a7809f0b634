"""A database and the folder of its files belong together: both have the id of the folder."""

from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex

from sqlalchemy import Connection, select, update

from app.files import replacing
from app.store.database import Contents
from app.store.properties import properties


@dataclass(frozen=True, slots=True)
class FolderId:
    """The file that holds the id of a folder. Methods raise OSError."""

    path: Path

    def read(self) -> str:
        """The id of the folder, which its database also has; empty: it has none yet."""
        try:
            return self.path.read_text().strip()
        except FileNotFoundError:
            return ""

    def write(self, id: str) -> None:
        with replacing(self.path) as file:
            file.write_text(id)


def bind_folder(
    connection: Connection, property: str, folder: FolderId, database: str, contents: Contents, setting: str
) -> None:
    """Makes sure that the tables and the folder belong together; the first server of new ones binds them.

    Otherwise a folder that is not mounted, or that of another database, would cost its files.

    property: the name of the row that has the id
    database: names the database in messages
    setting: the setting that names the folder. Raises `contents.invalid`, and OSError.
    """
    row = select(properties.c.value).where(properties.c.name == property).with_for_update()
    noted, found = str(connection.scalar(row)), folder.read()
    if not noted and not found:
        new = token_hex(8)
        folder.write(new)
        connection.execute(update(properties).where(properties.c.name == property).values(value=new))
    elif not noted:
        raise contents.invalid(
            f"the files in {setting} belong to another database than {database}; name another {setting}, or, if that "
            f"database is gone, remove {folder.path}"
        )
    elif noted != found:
        raise contents.invalid(
            f"the files of the {contents.name} in {database} are not in this {setting}; it may not be mounted, and all "
            f"servers of a database need the same one. If the files are lost, write {noted} into {folder.path}"
        )
