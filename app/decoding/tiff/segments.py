"""The strips or tiles of a page, and their bytes.

A compression of bytes does not depend on the pixels. So libtiff, through Pillow, unpacks strips or tiles of any kind of
pixel as a picture of 8-bit grey, whose rows are the bytes of their rows. libtiff stops at the size of the picture,
so that a strip cannot unpack to more bytes than its tags state.
"""

import io
import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL.TiffImagePlugin import TiffImageFile

from app.decoding.limits import check_pixels
from app.decoding.tiff import compression
from app.decoding.tiff.colours import Photometric
from app.decoding.tiff.directory import Directory
from app.decoding.tiff.refusal import refusal
from app.decoding.tiff.sample_type import SampleType
from app.decoding.tiff.tags import Tag
from app.errors import TooManyPixels

Bytes = npt.NDArray[np.uint8]

MAX_SEGMENTS = 1 << 20
_FREE_SEGMENTS = 1 << 16  # that are accepted for pictures of any size
_LEAST_PIXELS = 64  # of a strip or tile on average, if there are more
_GROUP_BYTES = 1 << 22  # strips or tiles are unpacked in groups of about this size
_MAX_BYTES_PER_PIXEL = 8  # of the largest picture that is accepted: RGBA of 16 bits
_FREE_PADDING = 1 << 24  # pixels of tiles outside of the picture that are always accepted
_SEPARATE = 2
_REVERSED = 2
_MAX_SHARED = 4  # strips or tiles may share bytes, up to this multiple of the file in each group
_LONG = 4
_HEADER_BYTES = 8 + 2 + 11 * 12 + 4

_REVERSE = np.packbits(np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1, bitorder="little"), axis=1)[:, 0]


@dataclass(frozen=True, slots=True)
class Segments:
    """The strips or tiles of a page.

    page: the directory with their positions
    height, width: of the picture, in pixels
    planes: 1, or the number of samples if each has strips or tiles of its own
    samples: of a pixel, within a strip or tile
    tiled: whether they are tiles; a strip is as wide as the picture
    rows, columns: of one strip or tile, in pixels
    row_bytes: of one row of a strip or tile
    """

    page: Directory
    height: int
    width: int
    planes: int
    samples: int
    tiled: bool
    rows: int
    columns: int
    row_bytes: int

    @property
    def down(self) -> int:
        return -(-self.height // self.rows)

    @property
    def across(self) -> int:
        return -(-self.width // self.columns)

    @property
    def number(self) -> int:
        """The number of strips or tiles."""
        return self.planes * self.down * self.across

    def rows_of(self, first: int, last: int) -> int:
        """The number of rows of pixels in the rows `first` to `last` - 1 of strips or tiles."""
        rows = (last - first) * self.rows
        return rows if self.tiled else min(rows, self.height - first * self.rows)

    def places(self) -> "Places":
        """Raises ValueError if positions are missing, or beyond the end of the file."""
        end = len(self.page.data)
        offsets = self._table(Tag.TileOffsets if self.tiled else Tag.StripOffsets)
        if not ((offsets >= 0) & (offsets < end)).all():
            raise ValueError("strips or tiles begin after the end of the file")
        tag = Tag.TileByteCounts if self.tiled else Tag.StripByteCounts
        rest = end - offsets
        counts = self._table(tag) if self.page.count(tag) else rest
        found = Places(offsets, np.where((counts > 0) & (counts < rest), counts, rest))
        self._check_stored(found)
        return found

    def _check_stored(self, places: "Places") -> None:
        """Raises ValueError if one of several strips or tiles that are not compressed has too few bytes.

        The count of a single one is wrong in files of some writers.
        """
        if self.number == 1 or self.page.integer(Tag.Compression, compression.NONE) != compression.NONE:
            return
        rows = np.full(self.down, self.rows)
        if not self.tiled:
            rows[-1] = self.rows_of(self.down - 1, self.down)
        short = np.argwhere(places.counts < rows[:, None] * self.row_bytes)
        if short.size:
            plane, down, across = short[0]
            end = places.offsets[plane, down, across] + places.counts[plane, down, across]
            raise ValueError(f"{len(short):,} strips or tiles have fewer bytes than rows; the first ends at {end:,}")

    def _table(self, tag: Tag) -> npt.NDArray[np.int64]:
        values = self.page.values(tag, self.number)
        if len(values) < self.number or values.dtype.kind == "f":
            raise ValueError(f"{tag} has {len(values)} integers instead of {self.number}")
        limited = np.minimum(values.astype(np.float64), len(self.page.data)).astype(np.int64)  # exact below 2^53
        return limited.reshape(self.planes, self.down, self.across)


@dataclass(frozen=True, slots=True)
class Places:
    """Where the strips or tiles of a page are in the file.

    offsets: [planes,down,across]
    counts: the stated number of bytes of each, [planes,down,across]; all bytes up to the file's end if none is stated
    """

    offsets: npt.NDArray[np.int64]
    counts: npt.NDArray[np.int64]


def read_segments(page: Directory, height: int, width: int, samples: SampleType, *, max_pixels: int) -> Segments:
    """Checks the geometry of a page; raises TooManyPixels, UnsupportedImage, or ValueError for a damaged page."""
    separate = page.integer(Tag.PlanarConfiguration, 1) == _SEPARATE and samples.count > 1
    tiled = page.count(Tag.TileOffsets) > 0
    if tiled:
        rows, columns = page.integer(Tag.TileLength, 0), page.integer(Tag.TileWidth, 0)
    else:
        rows, columns = min(page.integer(Tag.RowsPerStrip, height), height), width
    if rows < 1 or columns < 1:
        raise ValueError(f"strips or tiles of {columns} x {rows} pixels")
    own = 1 if separate else samples.count
    row_bytes = -(-columns * own * samples.bits // 8)
    found = Segments(page, height, width, samples.count // own, own, tiled, rows, columns, row_bytes)
    _check_size(found, max_pixels)
    return found


def _check_size(found: Segments, max_pixels: int) -> None:
    if found.tiled:
        check_pixels(found.rows, found.columns, max_pixels)
    most = min(MAX_SEGMENTS, _FREE_SEGMENTS + found.planes * found.height * found.width // _LEAST_PIXELS)
    if found.number > most:
        tag = Tag.TileWidth if found.tiled else Tag.RowsPerStrip
        state = f"makes {found.number:,} strips or tiles"
        raise refusal(tag, state, f"save the picture with at most {most:,}")
    padded = found.down * found.rows * found.across * found.columns if found.tiled else 0
    if padded > 2 * found.height * found.width + _FREE_PADDING:
        state = f"makes tiles of {padded:,} pixels for a picture of {found.height * found.width:,}"
        raise refusal(Tag.TileWidth, state, "save the picture with smaller tiles, or with strips")
    size, limit = found.number * found.rows * found.row_bytes, _MAX_BYTES_PER_PIXEL * max_pixels + 8 * _FREE_PADDING
    if size > limit:
        raise TooManyPixels(
            f"The samples of the picture take {size:,} bytes, the limit is {limit:,}; "
            "scale it down, or save it as grey or RGB of 8 bits"
        )


def groups(segments: Segments) -> Iterator[tuple[int, int]]:
    """Ranges of rows of strips or tiles, each of about `_GROUP_BYTES`."""
    row = segments.planes * segments.across * segments.rows * segments.row_bytes
    step = max(1, _GROUP_BYTES // row)
    return ((first, min(first + step, segments.down)) for first in range(0, segments.down, step))


def read_bytes(segments: Segments, places: Places, first: int, last: int, *, predictor: int) -> Bytes:
    """The unpacked bytes of the rows `first` to `last` - 1 of strips or tiles.

    Strips: [planes,1,1,rows,row_bytes]; tiles: [planes,last-first,across,rows,row_bytes]. With the predictor 2, libtiff
    adds up the bytes of each row (TIFF 6.0, section 14). Raises ValueError or OSError for damaged bytes.
    """
    number = segments.page.integer(Tag.Compression, compression.NONE)
    reverse = segments.page.integer(Tag.FillOrder, 1) == _REVERSED
    shape = (segments.planes, last - first, segments.across, segments.rows, segments.row_bytes)
    if not segments.tiled:
        shape = (segments.planes, 1, 1, segments.rows_of(first, last), segments.row_bytes)
    offsets, counts = places.offsets[:, first:last], places.counts[:, first:last]
    if number == compression.NONE:
        found = _stored(segments.page.data, offsets, segments.rows * segments.row_bytes, shape)
        return _REVERSE[found] if reverse else found
    if counts.sum() > _MAX_SHARED * len(segments.page.data):
        raise ValueError("strips or tiles have more bytes than the file")
    out = np.empty(shape, np.uint8)
    for plane, unpacked in enumerate(out):
        parts = [
            segments.page.data[offset : offset + count]
            for offset, count in zip(offsets[plane].flat, counts[plane].flat, strict=True)
        ]
        tags = {Tag.Compression: number, Tag.Predictor: predictor, Tag.FillOrder: 2 if reverse else 1}
        found = _unpacked(parts, segments.rows, segments.row_bytes, unpacked.size, tags)
        if segments.planes == 1:
            return found.reshape(shape)
        unpacked[...] = found.reshape(shape[1:])
    return out


def _stored(data: bytes, offsets: npt.NDArray[np.int64], size: int, shape: tuple[int, ...]) -> Bytes:
    """Strips or tiles that are not compressed, `size` bytes each, the last of a plane at most; a view if possible."""
    planes, total = shape[0], math.prod(shape[1:])
    if planes == 1 and (np.diff(offsets.ravel()) == size).all():
        return np.frombuffer(data, np.uint8, total, int(offsets[0, 0, 0])).reshape(shape)
    out = np.empty((planes, total), np.uint8)
    for plane, target in enumerate(out):
        for start, offset in zip(range(0, total, size), offsets[plane].flat, strict=True):
            part = target[start : start + size]
            part[:] = np.frombuffer(data, np.uint8, part.size, int(offset))
    return out.reshape(shape)


def _unpacked(parts: list[bytes], rows: int, row_bytes: int, size: int, tags: dict[Tag, int]) -> Bytes:
    """The bytes of compressed strips or tiles of `rows` rows each, unpacked by libtiff as strips of 8-bit grey."""
    counts = np.array([len(part) for part in parts], "<u4")
    table = _HEADER_BYTES + 4 * np.arange(2)[:, None] * len(parts)  # the positions of the two tables
    offsets = (_HEADER_BYTES + 8 * len(parts) + np.cumsum(counts, dtype=np.int64) - counts).astype("<u4")
    entries = tags | {
        Tag.ImageWidth: row_bytes,
        Tag.ImageLength: size // row_bytes,
        Tag.BitsPerSample: 8,
        Tag.PhotometricInterpretation: Photometric.BLACK_IS_ZERO,
        Tag.SamplesPerPixel: 1,
        Tag.RowsPerStrip: rows,
        Tag.StripOffsets: int(offsets[0]) if len(parts) == 1 else int(table[0, 0]),
        Tag.StripByteCounts: int(counts[0]) if len(parts) == 1 else int(table[1, 0]),
    }
    header = struct.pack("<4sIH", b"II*\0", 8, len(entries))
    for tag in sorted(entries):
        number = len(parts) if tag in (Tag.StripOffsets, Tag.StripByteCounts) else 1
        header += struct.pack("<HHII", tag, _LONG, number, entries[tag])
    file = io.BytesIO(b"".join([header, bytes(4), offsets.tobytes(), counts.tobytes(), *parts]))
    with TiffImageFile(file) as image:
        image.load()
        return np.frombuffer(image.tobytes(), np.uint8)
