"""Reads the directories of a TIFF: one for each page, with the tags that describe it.

This module reads the file itself, because Pillow passes over tags that change the picture. All counts in a file may
lie: a value is read only when it is needed, as far as it is needed, and only from within the file.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from app.decoding.tiff.tags import Tag

Numbers = npt.NDArray[np.generic]

_KINDS = {1: "u1", 3: "u2", 4: "u4", 6: "i1", 8: "i2", 9: "i4", 11: "f4", 12: "f8", 13: "u4", 16: "u8", 18: "u8"}
_RATIONAL, _SIGNED_RATIONAL = 5, 10
_MAX_ENTRIES = 4096  # of one directory; writers use less than 100
_BIG = 43
# Of other tags nothing is read. Those without a name are read by libtiff: inks, options of CCITT, tables of JPEG.
_LIBTIFF_TAGS = (292, 293, 334, 347, *range(512, 522))
_TAGS = np.array([*Tag, *_LIBTIFF_TAGS])


@dataclass(frozen=True, slots=True)
class Directory:
    """The tags of one page.

    data: the whole file
    order: `<` or `>`, the byte order
    big: whether the file is a BigTIFF
    offset: the position of this directory
    following: the position of the next directory; 0: none
    entries: kind, count and position of each tag's values, of the tags that determine pixels
    """

    data: bytes
    order: str
    big: bool
    offset: int
    following: int
    entries: dict[int, tuple[int, int, int]]

    def count(self, tag: Tag) -> int:
        """The number of values of a tag, as the file states it; 0 without the tag."""
        return self.entries.get(tag, (0, 0, 0))[1]

    def values(self, tag: Tag, limit: int) -> Numbers:
        """The first `limit` values of a tag, or all; none without the tag. Raises ValueError if they are not there."""
        kind, count, position = self.entries.get(tag, (1, 0, 0))
        number = min(count, limit)
        if kind == _RATIONAL:
            pairs = np.frombuffer(self.data, self.order + "u4", 2 * number, position).reshape(-1, 2).astype(float)
            ratios: Numbers = pairs[:, 0] / np.maximum(pairs[:, 1], 1)
            return ratios
        if kind not in _KINDS:
            raise ValueError(f"{tag} has values of the type {kind}")
        return np.frombuffer(self.data, self.order + _KINDS[kind], number, position)

    def integers(self, tag: Tag, limit: int) -> list[int]:
        """The first `limit` values of a tag as integers; raises ValueError for other numbers."""
        values = self.values(tag, limit)
        if values.dtype.kind == "f":
            raise ValueError(f"{tag} has no integers")
        found: list[int] = values.tolist()
        return found

    def integer(self, tag: Tag, default: int) -> int:
        """The first value of a tag, or the default without the tag."""
        return next(iter(self.integers(tag, 1)), default)

    def written(self) -> bytes:
        """The directory as it is stored in a file, without tags that do not matter, and without a next page."""
        count, entry, field = ("Q", "HHQ", 8) if self.big else ("H", "HHI", 4)
        body = b""
        for tag, (kind, number, position) in sorted(self.entries.items()):
            if _size(kind) * number <= field:
                value = self.data[position : position + field]
            else:
                value = struct.pack(self.order + ("Q" if self.big else "I"), position)
            body += struct.pack(self.order + entry, tag, kind, number) + value
        return struct.pack(self.order + count, len(self.entries)) + body + bytes(field)


def first_directory(data: bytes) -> Directory:
    """The directory of the first page; raises ValueError or struct.error for a damaged file."""
    order = "<" if data[:2] == b"II" else ">"
    big = struct.unpack_from(order + "H", data, 2)[0] == _BIG
    (offset,) = struct.unpack_from(order + ("Q" if big else "I"), data, 8 if big else 4)
    return read_directory(data, order, big, offset)


def read_directory(data: bytes, order: str, big: bool, offset: int) -> Directory:
    """The directory at this position; raises ValueError or struct.error if it is not completely in the file."""
    if not 8 <= offset < len(data):
        raise ValueError(f"no directory of tags at byte {offset}")
    (count,) = struct.unpack_from(order + ("Q" if big else "H"), data, offset)
    if count > _MAX_ENTRIES:
        raise ValueError(f"a directory of {count} tags")
    start, size = offset + (8 if big else 2), 20 if big else 12
    end = start + count * size
    if end > len(data):
        raise ValueError(f"the directory of tags at byte {offset} is incomplete")
    wide = 8 if big else 4
    fields = [("tag", order + "u2"), ("kind", order + "u2"), ("count", f"{order}u{wide}"), ("value", f"V{wide}")]
    listed = np.frombuffer(data, np.dtype(fields), count, start)
    entries: dict[int, tuple[int, int, int]] = {}
    for index in np.flatnonzero(np.isin(listed["tag"], _TAGS)).tolist():
        tag, kind, number = (int(listed[name][index]) for name in ("tag", "kind", "count"))
        if tag not in entries:
            entries[tag] = kind, number, _position(data, order, big, start + index * size, kind, number)
    # Some writers leave out the position of the next directory if there is none.
    pointer = order + ("Q" if big else "I")
    following = struct.unpack_from(pointer, data, end)[0] if end + (8 if big else 4) <= len(data) else 0
    return Directory(data, order, big, offset, following, entries)


def pages(first: Directory, limit: int) -> Iterator[Directory]:
    """The directories after `first` in its chain, at most `limit`; ends at a cycle, and at a damaged directory."""
    seen, page = {first.offset}, first
    while page.following and page.following not in seen and len(seen) <= limit:
        seen.add(page.following)
        try:
            page = read_directory(page.data, page.order, page.big, page.following)
        except (ValueError, struct.error):
            return
        yield page


def _position(data: bytes, order: str, big: bool, entry: int, kind: int, number: int) -> int:
    inline = entry + (12 if big else 8)
    if _size(kind) * number <= (8 if big else 4):
        return inline
    position: int = struct.unpack_from(order + ("Q" if big else "I"), data, inline)[0]
    return position


def _size(kind: int) -> int:
    """The bytes of one value."""
    return 8 if kind in (_RATIONAL, _SIGNED_RATIONAL) else np.dtype(_KINDS.get(kind, "u1")).itemsize
