"""The folders of trainings and teachings: a record for each, and the files of the one that runs."""

import json
import os
import re
import shutil
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any, BinaryIO, ClassVar, Generic, Protocol, TypeVar

from app.files import read_regular, replacing
from app.trainings.training import Training, TrainingState

MOST_RECORDS = 100
"""The number of records that are kept; of more, the oldest are removed."""
MOST_RECORD_BYTES = 2**20
LONGEST_NAME = 100
"""The most bytes of the name under which a picture is stored."""
_ID = re.compile(r"[0-9a-f]{16}")


class _Recorded(Protocol):
    """A dataclass with an id, and the time at which it was made."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def id(self) -> str: ...

    @property
    def created_s(self) -> float: ...


R = TypeVar("R", bound=_Recorded)


class RecordFolder(Generic[R]):
    """The files below a folder: `ID.json` is a record, and `ID/` has the files of what runs.

    Methods raise OSError.
    """

    def __init__(self, root: Path, decode: Callable[[dict[str, Any]], R]) -> None:
        """Makes the folder, and removes the files that a killed server has left.

        decode: makes a record of its values; raises ValueError, KeyError or TypeError
        """
        self.root, self._decode = root, decode
        root.mkdir(parents=True, exist_ok=True)
        for path in root.iterdir():
            if path.is_dir() and _ID.fullmatch(path.name):
                shutil.rmtree(path)

    def records(self) -> list[R]:
        """All records that can be read, the oldest first."""
        found = []
        for path in self.root.glob("*.json"):
            if _ID.fullmatch(path.stem):
                with suppress(ValueError, KeyError, TypeError):  # a record of another version
                    found.append(self._decode(json.loads(read_regular(path, MOST_RECORD_BYTES))))
        return sorted(found, key=lambda record: record.created_s)

    def write(self, record: R) -> None:
        """Replaces a record."""
        with replacing(self._record(record.id)) as temporary:
            temporary.write_text(json.dumps(asdict(record), indent=2) + "\n", encoding="utf-8")

    def remove(self, id: str) -> None:
        """Removes a record, if there is one."""
        self._record(id).unlink(missing_ok=True)

    def work(self, id: str) -> Path:
        """The folder of what runs."""
        return self.root / id

    def clear(self, id: str) -> None:
        """Removes the files of what has ended. What cannot be removed now is removed when the server starts."""
        shutil.rmtree(self.work(id), ignore_errors=True)

    def _record(self, id: str) -> Path:
        return self.root / f"{id}.json"


class TrainingFolder(RecordFolder[Training]):
    """The records of trainings, with the pictures and the model of the one that runs."""

    def __init__(self, root: Path) -> None:
        super().__init__(root, _training_of)

    def store(self, id: str, pictures: Sequence[tuple[str, BinaryIO]]) -> None:
        """Writes the pictures of a training: each keeps its name, in a folder with its number."""
        for number, (name, file) in enumerate(pictures):
            folder = self.work(id) / "pictures" / f"{number:06}"
            folder.mkdir(parents=True)
            file.seek(0)
            with (folder / stored_name(name)).open("wb") as out:
                shutil.copyfileobj(file, out)


def stored_name(name: str) -> str:
    """The name of a picture's file: that of the upload without folders and control characters, and not too long."""
    last = "".join(letter for letter in re.split(r"[/\\]", name)[-1] if letter.isprintable())
    kept = os.fsencode(last.encode("utf-8", "replace").decode())[-LONGEST_NAME:].decode("utf-8", "ignore")
    return "picture" if kept in ("", ".", "..") else kept


def _training_of(values: dict[str, Any]) -> Training:
    """The training of a record; raises ValueError, KeyError or TypeError."""
    notes, unlike = (tuple(map(str, values[name])) for name in ("notes", "unlike"))
    return Training(**values | {"notes": notes, "unlike": unlike, "state": TrainingState(values["state"])})
