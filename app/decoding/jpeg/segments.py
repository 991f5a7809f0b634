"""Lists the segments of a JPEG up to its end marker (ITU-T T.81, B.1.1)."""

from collections.abc import Iterator
from dataclasses import dataclass

from app.decoding.jpeg.markers import ALONE, EOI, SOS, Positions, next_marker
from app.errors import DamagedImage, UnsupportedImage

_MAX_SEGMENTS = 4096  # of at most 64 KiB each; a profile of 3 MB takes 47


@dataclass(frozen=True, slots=True)
class Segment:
    """A marker and what belongs to it.

    marker: its number
    start: the position of its FF
    end: the position after its parameters; those of a scan are followed by data up to `data_end`
    data_end: the same as `end` for other markers
    restarts: the positions of the restart markers in the data
    """

    marker: int
    start: int
    end: int
    data_end: int
    restarts: Positions | None = None

    def content(self, data: bytes) -> bytes:
        """The parameters."""
        return data[self.start + 4 : self.end]


def segments(data: bytes) -> Iterator[Segment]:
    """Yields the segments after the start marker; the last one is the end marker, unless the file ends before it.

    Raises `UnsupportedImage` for too many segments, and `DamagedImage` for an impossible one.
    """
    position = 2
    for _ in range(_MAX_SEGMENTS):
        if data[position : position + 1] != b"\xff" or data[position + 1 : position + 2] in (b"\0", b"\xff"):
            position, _ = next_marker(data, position)  # passes over bytes between segments, as decoders do
        found = _segment(data, position)
        if found is None:
            return
        yield found
        if found.marker == EOI:
            return
        position = found.data_end
    raise UnsupportedImage(
        f"The JPEG has more than {_MAX_SEGMENTS:,} segments, the limit; save it again without its metadata"
    )


def _segment(data: bytes, start: int) -> Segment | None:
    """The segment whose marker is at `start`; None if the file ends before its end."""
    if start + 2 > len(data):
        return None
    marker = data[start + 1]
    if marker in ALONE:
        return Segment(marker, start, start + 2, start + 2)
    length = int.from_bytes(data[start + 2 : start + 4], "big")
    end = start + 2 + length
    if start + 4 > len(data) or end > len(data):
        return None
    if length < 2:
        raise DamagedImage(f"The JPEG is corrupt: an impossible segment at byte {start:,}; save it anew")
    data_end, restarts = next_marker(data, end) if marker == SOS else (end, None)
    return Segment(marker, start, end, data_end, restarts)
