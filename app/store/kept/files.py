"""The files of kept pictures: `pictures/ID/` has the picture and what shows it."""

import shutil
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from time import time

from app.files import flush, naming, read_regular, sweep, unfinished_directory
from app.store.folder_id import FolderId

FORGOTTEN_S = 600.0
"""A folder without a row is removed after so long: its writer may be about to add the row."""


class PictureFile(StrEnum):
    """A file of a kept picture.

    picture: as it came
    heatmap: the map in colour, from near the threshold on, at most 1,024 pixels wide and high (PNG)
    shown: the picture for browsers, of formats that they do not show (PNG)
    """

    picture = "picture"
    heatmap = "heatmap.png"
    shown = "shown.png"


class PictureFolders:
    """The files of all kept pictures, in one folder, which servers may share. Methods raise OSError."""

    def __init__(self, root: Path) -> None:
        self.root, self.id = root / "pictures", FolderId(root / "folder-id")
        self.root.mkdir(parents=True, exist_ok=True)

    def path(self, id: str, file: PictureFile) -> Path:
        return self.root / id / file.value

    def write(self, id: str, files: Mapping[PictureFile, bytes]) -> None:
        """Writes all files of a picture, or none; on the disk when it returns."""
        with naming(self.root), unfinished_directory(self.root) as temporary:
            folder = temporary / id
            folder.mkdir()
            for name, content in files.items():
                (folder / name.value).write_bytes(content)
                flush(folder / name.value)
            flush(folder)
            folder.rename(self.root / id)
        flush(self.root)

    def read(self, id: str, file: PictureFile, most_bytes: int) -> bytes:
        return read_regular(self.path(id, file), most_bytes)

    def remove(self, id: str) -> None:
        """Removes the files of a picture; nothing happens if there are none."""
        shutil.rmtree(self.root / id, ignore_errors=True)

    def sweep(self, known: set[str]) -> None:
        """Removes what killed writers left, and folders of pictures that are not `known`, once they are old enough."""
        sweep(self.root)
        for folder in self.root.iterdir():
            if folder.name in known or folder.name.startswith("."):
                continue
            if time() - folder.stat().st_mtime > FORGOTTEN_S:
                shutil.rmtree(folder, ignore_errors=True)

    def free_bytes(self) -> int:
        """The free bytes of the disk."""
        return shutil.disk_usage(self.root).free
