"""Tensors in safetensors files: read into their own memory, verified while they are read, and written."""

import hashlib
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from io import BufferedReader
from math import prod
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor

from app.cgroup import free_memory
from app.errors import DigestMismatch, InvalidArtifact, ModelTooLarge
from app.files import digest, open_regular

LENGTH_BYTES = 8
MOST_HEADER_BYTES = 4 * 2**20
"""Room for more than 30,000 tensors: each takes about 120 bytes of the header."""

MOST_DIMENSIONS = 16
MOST_HASHED = 2**30
"""Of a larger file that is damaged, the digest is not computed, because that would take long."""

READ_BYTES = 16 * 2**20
METADATA = "__metadata__"
_SYSTEM_ERROR = re.compile(r"\(os error (\d+)\)")


def read_tensors(path: Path, expected: str | None = None, most_bytes: int | None = None) -> dict[str, Tensor]:
    """The tensors of a regular file. Reads the file once, and verifies its SHA-256 if `expected` is given.

    The library would map the file instead: mapped tensors would change with the file, a file that is shortened
    meanwhile would kill the process (SIGBUS), and copying mapped tensors would take their memory twice. `most_bytes`
    limits the file. Raises OSError, InvalidArtifact for a file that is damaged or too large, DigestMismatch, and
    ModelTooLarge for a file that is larger than the free memory.
    """
    try:
        tensors, found = _read(path, most_bytes)
    except ModelTooLarge:
        raise
    except InvalidArtifact as error:
        if expected is None or path.stat().st_size > MOST_HASHED or (found := digest(path)) == expected:
            raise
        raise _changed(path, found, expected) from error
    if expected is not None and found != expected:
        raise _changed(path, found, expected)
    return tensors


def _changed(path: Path, found: str, expected: str) -> DigestMismatch:
    return DigestMismatch(
        f"{path} has the SHA-256 {found}, and the manifest records {expected[:64]}: the file was changed"
    )


def _read(path: Path, most_bytes: int | None) -> tuple[dict[str, Tensor], str]:
    """The tensors of a file, and its SHA-256."""
    with open_regular(path) as file:
        size = os.fstat(file.fileno()).st_size
        if most_bytes is not None and size > most_bytes:
            raise InvalidArtifact(
                f"{path} has {size:,} bytes, and such a file of this model has at most {most_bytes:,}: it was changed"
            )
        _require_memory(path, size)
        header = _read_header(file, path, size)
        sha = hashlib.sha256(header)
        tensors = {part.name: _read_tensor(file, path, part, sha) for part in _parts(header, path, size)}
    return tensors, sha.hexdigest()


def _require_memory(path: Path, size: int) -> None:
    free = free_memory()
    if size > free:
        raise ModelTooLarge(
            f"{path} takes {size / 2**30:.1f} GiB of memory, and {free / 2**30:.1f} GiB are free; remove other models, "
            "or raise the limit of memory"
        )


@dataclass(frozen=True, slots=True)
class _Part:
    """A tensor as the header describes it: its name, its type, its shape, and the number of its bytes."""

    name: str
    dtype: torch.dtype
    shape: tuple[int, ...]
    size: int


def _read_header(file: BufferedReader, path: Path, size: int) -> bytes:
    """The header with its length before it."""
    start = file.read(LENGTH_BYTES)
    length = int.from_bytes(start, "little")
    most = min(MOST_HEADER_BYTES, size - LENGTH_BYTES)
    if len(start) < LENGTH_BYTES or length > most:
        raise InvalidArtifact(
            f"{path} is no safetensors file: its header would have {length:,} bytes, and at most {max(most, 0):,} are "
            "read"
        )
    header = start + file.read(length)
    if len(header) < LENGTH_BYTES + length:
        raise _shortened(path)
    return header


def _parts(header: bytes, path: Path, size: int) -> list[_Part]:
    """The tensors in the order of their bytes, which must fill the file without gaps and overlaps."""
    try:
        content = json.loads(header[LENGTH_BYTES:])
        content.pop(METADATA, None)
        described = [(*record["data_offsets"], name, record) for name, record in content.items()]
        described.sort(key=lambda each: each[:2])
        parts, end = [], 0
        for first, last, name, record in described:
            part = _part(name, record)
            if (first, last) != (end, end + part.size):
                raise ValueError(
                    f"the bytes of {name[:80]} are {first} to {last}, and should be {end} to {end + part.size}"
                )
            parts.append(part)
            end = last
        if len(header) + end != size:
            raise ValueError(f"it has {size:,} bytes, and its header describes {len(header) + end:,}")
    except (AttributeError, KeyError, TypeError, ValueError, RecursionError) as error:
        raise InvalidArtifact(f"{path} is damaged, or no safetensors file: {str(error)[:300]}") from error
    return parts


def _part(name: str, record: Mapping[str, object]) -> _Part:
    kind, shape = record["dtype"], record["shape"]
    dtype = _DTYPES.get(kind) if isinstance(kind, str) else None
    if dtype is None:
        raise ValueError(f"{name[:80]} has the type {str(kind)[:20]}, which no model uses")
    if not isinstance(shape, list) or len(shape) > MOST_DIMENSIONS:
        raise ValueError(f"the shape of {name[:80]} is no list of at most {MOST_DIMENSIONS} numbers")
    if not all(isinstance(edge, int) and 0 <= edge < 2**48 for edge in shape) or prod(map(_at_least_1, shape)) >= 2**60:
        raise ValueError(f"the shape of {name[:80]} has impossible numbers")
    return _Part(name, dtype, tuple(shape), prod(shape) * dtype.itemsize)


def _at_least_1(edge: int) -> int:
    return max(edge, 1)


def _read_tensor(file: BufferedReader, path: Path, part: _Part, sha: "hashlib._Hash") -> Tensor:
    tensor = torch.empty(part.shape, dtype=part.dtype)
    if part.size:
        numbers = memoryview(tensor.view(-1).view(torch.uint8).numpy())  # type: ignore[arg-type]  # NumPy before its buffer types
        for first in range(0, part.size, READ_BYTES):
            wanted = numbers[first : first + READ_BYTES]
            if file.readinto(wanted) != len(wanted):
                raise _shortened(path)
            sha.update(wanted)
    return tensor


def _shortened(path: Path) -> InvalidArtifact:
    return InvalidArtifact(f"{path} became shorter while it was read; copy it beside its place, and rename it")


def write_tensors(tensors: Mapping[str, Tensor], path: Path, metadata: Mapping[str, str] | None = None) -> None:
    """Writes a file; raises OSError, where the library raises an error of its own, for example on a full disk."""
    try:
        save_file(dict(tensors), path, None if metadata is None else dict(metadata))
    except SafetensorError as error:
        found = _SYSTEM_ERROR.search(str(error))
        if found is None:
            raise
        raise OSError(int(found[1]), os.strerror(int(found[1])), str(path)) from error


_DTYPES = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "I64": torch.int64,
    "I32": torch.int32,
    "I16": torch.int16,
    "I8": torch.int8,
    "U8": torch.uint8,
    "BOOL": torch.bool,
}
