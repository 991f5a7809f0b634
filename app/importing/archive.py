"""Torch's file format since torch 1.6: a zip archive with a pickle and an uncompressed entry for each storage."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from zipfile import ZIP_STORED, BadZipFile, ZipFile, ZipInfo

import torch
from torch import Tensor

from app.errors import UnsupportedImport
from app.importing.tensors import StoredTensor
from app.importing.unpickler import unpickle

MAX_PICKLE_BYTES = 16 * 2**20  # anomalib's pickles have less than 1 MiB: the tensors' numbers are in other entries
READ_BYTES = 2**24
LEGACY = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."  # the magic number of torch's old format, pickled


class Archive:
    """An open torch file."""

    def __init__(self, path: Path, file: ZipFile) -> None:
        self._path, self._file = path, file
        names = [info.filename for info in file.infolist()]
        pickles = [name for name in names if name.endswith("/data.pkl") and name.count("/") == 1]
        if len(pickles) != 1 or len(set(names)) < len(names):
            raise UnsupportedImport(f"{path} is a zip archive, and not one that torch.save wrote")
        self._root = pickles[0].removesuffix("data.pkl")
        if f"{self._root}constants.pkl" in names:
            raise UnsupportedImport(f"{path} is a TorchScript program; import the .ckpt or .pt that anomalib wrote")
        self._infos = {info.filename: info for info in file.infolist()}
        self._check()

    def _check(self) -> None:
        room = self._path.stat().st_size
        for name, info in self._infos.items():
            if info.compress_type != ZIP_STORED or info.file_size != info.compress_size or info.file_size > room:
                raise UnsupportedImport(f"{self._path}: {name} is compressed or larger than the file; it is damaged")
        order = self._infos.get(f"{self._root}byteorder")
        if order is not None and self._bytes(order, 16) != b"little":
            raise UnsupportedImport(f"{self._path} was written on a big-endian machine, which is not supported")

    def content(self) -> object:
        """The content of the file's pickle, see `unpickle`; raises UnsupportedImport."""
        folder = f"{self._root}data/"
        sizes = {
            name.removeprefix(folder): info.file_size for name, info in self._infos.items() if name.startswith(folder)
        }
        return unpickle(self._bytes(self._infos[f"{self._root}data.pkl"], MAX_PICKLE_BYTES), sizes)

    def read(self, tensor: StoredTensor) -> Tensor:
        """Reads a tensor: on the CPU, contiguous. Raises BadZipFile or EOFError if the file is damaged."""
        source = tensor.storage
        if source.elements == 0:
            return torch.empty(tensor.shape, dtype=source.dtype)
        buffer = memoryview(bytearray(source.size))
        with self._file.open(self._infos[f"{self._root}data/{source.key}"]) as entry:
            for first in range(0, source.size, READ_BYTES):
                part = buffer[first : first + READ_BYTES]
                part[:] = entry.read(len(part))
        numbers = torch.frombuffer(buffer, dtype=source.dtype)
        return numbers.as_strided(tensor.shape, tensor.stride, tensor.offset).contiguous()

    def _bytes(self, info: ZipInfo, limit: int) -> bytes:
        if info.file_size > limit:
            raise UnsupportedImport(
                f"{self._path}: {info.filename} has {info.file_size} bytes, and at most {limit} are read"
            )
        return self._file.read(info)


@contextmanager
def open_archive(path: Path) -> Iterator[Archive]:
    """Opens a torch file; raises OSError, and UnsupportedImport if it is not a torch file.

    Errors of a damaged file inside the `with` block become UnsupportedImport.
    """
    with path.open("rb") as file:
        start = file.read(len(LEGACY))
        if start == LEGACY:
            raise UnsupportedImport(
                f"{path} has the format of torch before 1.6; load it with torch and save it again to import it"
            )
        if not start.startswith(b"PK"):
            raise UnsupportedImport(
                f"{path} is no torch file; import a .ckpt of anomalib's, or its export of type torch (.pt)"
            )
        try:
            with ZipFile(file) as archive:
                yield Archive(path, archive)
        except (BadZipFile, EOFError, NotImplementedError) as error:
            raise UnsupportedImport(f"{path} is damaged: {error}") from error
