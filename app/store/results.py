"""Where the results of finished pictures lie: in the folder of jobs, in another folder, or in a bucket."""

import shutil
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Protocol

from app.errors import ResultsUnavailable
from app.files import replacing
from app.remote import RemoteFolder

BLOCK_BYTES = 2**18
MOST_BLOCKS = 128
"""The blocks of files in a bucket that are kept in memory: the directory of a pyramid is read for each of its tiles."""


class ResultFile(Protocol):
    """A file of a result, which does not change.

    size: in bytes
    tag: differs from that of every other file
    """

    @property
    def size(self) -> int: ...

    @property
    def tag(self) -> str: ...

    def read(self, start: int, end: int) -> bytes:
        """The bytes from `start` to before `end`, which is at most `size`. Raises ResultsUnavailable."""


class Results(Protocol):
    """The results of all jobs. Any thread may call any method; all of them block."""

    @property
    def place(self) -> str:
        """Where they lie, for messages."""

    def put(self, id: str, number: int, files: Sequence[Path]) -> None:
        """Moves the files of a picture there, in their order, each complete or not at all. Raises OSError."""

    def file(self, id: str, number: int, name: str) -> ResultFile:
        """The file of a picture with this name. Raises ResultsUnavailable."""

    def remove(self, id: str) -> None:
        """Removes all files of a job; nothing happens if there are none. Raises OSError."""


class FolderResults:
    """Results in a folder, `ROOT/ID/NUMBER/`."""

    def __init__(self, root: Path) -> None:
        self._root = root

    @property
    def place(self) -> str:
        return str(self._root)

    def put(self, id: str, number: int, files: Sequence[Path]) -> None:
        folder = self._root / id / str(number)
        moved = [file for file in files if file.parent != folder]
        for file in moved:
            with replacing(folder / file.name) as temporary:
                shutil.copyfile(file, temporary)
        for file in moved:  # now, so that all are there if one of them could not be copied
            file.unlink()

    def file(self, id: str, number: int, name: str) -> ResultFile:
        path = self._root / id / str(number) / name
        try:
            status = path.stat()
        except OSError as error:
            raise _unavailable(error) from None
        return _LocalFile(path, status.st_size, f"{path} {status.st_mtime_ns} {status.st_size}")

    def remove(self, id: str) -> None:
        if (self._root / id).exists():
            shutil.rmtree(self._root / id)


class BucketResults:
    """Results in a bucket, `URL/ID/NUMBER/`."""

    def __init__(self, folder: RemoteFolder) -> None:
        self._folder, self._blocks = folder, _Blocks()

    @property
    def place(self) -> str:
        return self._folder.url

    def put(self, id: str, number: int, files: Sequence[Path]) -> None:
        for file in files:
            self._folder.upload(file, f"{id}/{number}/{file.name}")
        for file in files:
            file.unlink()

    def file(self, id: str, number: int, name: str) -> ResultFile:
        path = f"{id}/{number}/{name}"
        try:
            found = self._folder.file(path)
        except OSError as error:
            raise _unavailable(error) from None
        return _BucketFile(self._folder, path, found.size, f"{path} {found.tag} {found.size}", self._blocks)

    def remove(self, id: str) -> None:
        self._folder.remove(id)


@dataclass(frozen=True, slots=True)
class _LocalFile:
    path: Path
    size: int
    tag: str

    def read(self, start: int, end: int) -> bytes:
        try:
            with self.path.open("rb") as file:
                file.seek(start)
                return file.read(end - start)
        except OSError as error:
            raise _unavailable(error) from None


class _Blocks:
    """The blocks of files that were used last, by the tag of the file and their number."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[str, int], bytes] = OrderedDict()
        self._lock = Lock()

    def get(self, tag: str, number: int) -> bytes | None:
        with self._lock:
            if (tag, number) in self._kept:
                self._kept.move_to_end((tag, number))
            return self._kept.get((tag, number))

    def keep(self, tag: str, number: int, block: bytes) -> None:
        with self._lock:
            self._kept[tag, number] = block
            while len(self._kept) > MOST_BLOCKS:
                self._kept.popitem(last=False)


@dataclass(frozen=True, slots=True)
class _BucketFile:
    folder: RemoteFolder
    path: str
    size: int
    tag: str
    blocks: _Blocks

    def read(self, start: int, end: int) -> bytes:
        try:
            if end - start > BLOCK_BYTES:
                return self.folder.read(self.path, start, end)
            first = start // BLOCK_BYTES
            content = b"".join(self._block(number) for number in range(first, -(-end // BLOCK_BYTES)))
            return content[start - first * BLOCK_BYTES : end - first * BLOCK_BYTES]
        except OSError as error:
            raise _unavailable(error) from None

    def _block(self, number: int) -> bytes:
        block = self.blocks.get(self.tag, number)
        if block is None:
            block = self.folder.read(self.path, number * BLOCK_BYTES, min((number + 1) * BLOCK_BYTES, self.size))
            self.blocks.keep(self.tag, number, block)
        return block


def _unavailable(error: OSError) -> ResultsUnavailable:
    return ResultsUnavailable(f"{error.filename} cannot be read now: {error.strerror}")
