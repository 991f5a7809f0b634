"""The folders of trainings and teachings: a record for each, and the files of the one that runs."""

import json
import re
import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any, Generic, TypeVar

from app.files import read_regular, replacing
from app.trainings.run import Run

MOST_RECORDS = 100
"""The number of records that are kept; of more, the oldest are removed."""
MOST_RECORD_BYTES = 2**23
"""The largest record that is read: it has room for a message of a process, with its white space."""
_ID = re.compile(r"[0-9a-f]{16}")


R = TypeVar("R", bound=Run)


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
