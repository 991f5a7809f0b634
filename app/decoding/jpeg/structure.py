"""Finds the segments of a JPEG that determine its pixels, without decoding any pixel.

Pillow never sees other segments: it would copy and parse metadata, some of it in time quadratic in the number of
segments. Of the metadata, only EXIF is read, for the orientation.
"""

from dataclasses import dataclass

from app.decoding.jpeg.frame import Frame, read_frame
from app.decoding.jpeg.markers import APP0, APP1, APP14, DAC, DHT, DQT, DRI, EOI, FRAMES, SOS
from app.decoding.jpeg.scans import Progress, Scan, check_restarts
from app.decoding.jpeg.segments import Segment, segments
from app.errors import DamagedImage, UnsupportedImage

_MAX_TABLE_BYTES = 1 << 16  # before one scan; all the tables that a scan can use take 5 KB
_MAX_EXIF_SEGMENTS = 16
_TABLES = frozenset({DHT, DQT, DRI, DAC})
_EXIF = b"Exif\0\0"
_COLOURS = {APP0: b"JFIF\0", APP14: b"Adobe"}  # the application segments that change the meaning of the components


@dataclass(frozen=True, slots=True)
class Structure:
    """The structure of a JPEG.

    frame: its frame
    scans: its scans; the data of all are in the file
    exif: its EXIF block; empty if there is none
    """

    frame: Frame
    scans: tuple[Scan, ...]
    exif: bytes


def read_structure(data: bytes, *, lenient: bool = False) -> Structure:
    """The structure of the first picture in a file.

    Raises `UnsupportedImage` if there are too many segments, tables or scans, and `DamagedImage` if the file has no
    frame or no scan. Unless `lenient`, also if it ends before its end marker, its last scan, or its last restart, and
    `UnsupportedImage` for arithmetic coding.
    """
    reader = _Reader(data, lenient=lenient)
    last = None
    for last in segments(data):
        reader.take(last)
    ended = last is not None and last.marker == EOI
    if reader.progress is None or not reader.scans or not (ended or lenient):
        raise DamagedImage(
            f"The JPEG is truncated or corrupt: it ends after {len(data):,} bytes, before its "
            f"{'end marker' if reader.scans else 'pixels'}; send the whole file"
        )
    if last is not None and not lenient:
        reader.progress.check_complete(last.start)
    return Structure(reader.progress.frame, tuple(reader.scans), b"".join(reader.exif))


class _Reader:
    """Collects the segments of one picture."""

    def __init__(self, data: bytes, *, lenient: bool) -> None:
        self.progress: Progress | None = None
        self.scans: list[Scan] = []
        self.exif: list[bytes] = []
        self._data, self._lenient = data, lenient
        self._colours: dict[int, bytes] = {}
        self._tables: list[bytes] = []
        self._interval = 0

    def take(self, segment: Segment) -> None:
        data, marker = self._data, segment.marker
        if marker in FRAMES:
            if self.progress is not None:
                raise DamagedImage(f"The JPEG is corrupt: a second frame at byte {segment.start:,}; save it anew")
            self.progress = Progress(read_frame(marker, segment.content(data)))
            if self.progress.frame.is_arithmetic and not self._lenient:
                raise UnsupportedImage(
                    "The JPEG has arithmetic coding, of which the decoder does not report missing data; save it again "
                    "as baseline JPEG"
                )
            self._tables.append(data[segment.start : segment.end])
        elif marker == SOS:
            self._take_scan(segment)
        elif marker in _TABLES:
            self._take_table(segment)
        elif marker in _COLOURS and data.startswith(_COLOURS[marker], segment.start + 4):
            self._colours[marker] = data[segment.start : segment.end]
        elif marker == APP1 and len(self.exif) < _MAX_EXIF_SEGMENTS and data.startswith(_EXIF, segment.start + 4):
            self.exif.append(segment.content(data)[len(_EXIF) :])

    def _take_table(self, segment: Segment) -> None:
        self._tables.append(self._data[segment.start : segment.end])
        size = sum(map(len, self._tables))
        if size > _MAX_TABLE_BYTES:
            raise UnsupportedImage(
                f"The JPEG has tables of {size:,} bytes before a scan, the limit is {_MAX_TABLE_BYTES:,}; "
                "save it again as baseline JPEG"
            )
        if segment.marker == DRI:
            self._interval = int.from_bytes(segment.content(self._data)[:2], "big")

    def _take_scan(self, segment: Segment) -> None:
        if self.progress is None:
            raise DamagedImage("The JPEG is corrupt: it has no frame before its first scan; save it anew")
        content = segment.content(self._data)
        components = list(content[1 : 1 + 2 * content[0] : 2]) if content else []
        if len(content) != 4 + 2 * len(components) or not set(components) <= set(self.progress.frame.factors):
            raise DamagedImage(f"The JPEG is corrupt: an impossible scan at byte {segment.start:,}; save it anew")
        self.progress.add(components, content)
        restarts = segment.restarts
        assert restarts is not None
        if not self._lenient:
            units = self.progress.frame.units(components)
            check_restarts(self._data, restarts, units, self._interval, segment.data_end)
        start = b"" if self.scans else b"\xff\xd8" + b"".join(self._colours.values())
        head = start + b"".join(self._tables) + self._data[segment.start : segment.end]
        self.scans.append(Scan(head, segment.end, segment.data_end, restarts))
        self._tables = []
