"""Decodes the scans of a JPEG with Pillow, and finds scans that end early.

libjpeg fills up a scan whose data end before its last unit, with grey if it is the first scan of these coefficients,
and counts a warning that Pillow does not report. It does so when it finds a marker in place of data. So no marker
follows the data here, until the scan is known to be complete: padding follows instead. libjpeg then waits within the
scan for more data, or it has finished the scan, and passes over all bytes until it finds the next marker.

Whether it waits within the scan follows from the bytes that it takes. Within a scan it takes bytes only for whole
units (MCUs), and fills its register with as many as fit; it takes none if they do not fill it. So of two bytes that
come one by one, it never takes both. All of this is the behaviour of libjpeg with a source that suspends
(libjpeg.txt, "I/O suspension"), the only kind of source that Pillow has. It costs no time, and no pixel changes.
"""

from typing import Protocol, cast

from PIL import Image
from PIL.ImageFile import ImageFile

from app.decoding.jpeg.scans import Scan
from app.decoding.jpeg.structure import Structure
from app.errors import DamagedImage

# Ones, which no Huffman code consists of (ITU-T T.81, C): the last units cannot be made of them, but for one or two
# blocks, or 64 blocks of a scan that refines. They fill the register of libjpeg, of 64 bits.
_PADDING = b"\xff\0" * 8
_BYTE = b"\0"
_END = b"\xff\xd9"
_MAX_CHECKED_INTERVALS = (
    1 << 12
)  # each takes 5 us; with more, only the end of each scan is checked, and the number of restarts


class _Codec(Protocol):
    def setimage(self, image: object, extents: object) -> None: ...

    def decode(self, data: bytes | memoryview) -> tuple[int, int]: ...

    def cleanup(self) -> int: ...


def load_pixels(image: ImageFile, data: bytes, structure: Structure, *, lenient: bool) -> None:
    """Decodes the pixels into the image; raises `DamagedImage` for a scan that ends early, unless `lenient`.

    data: the file in which the scans are
    """
    image.load_prepare()
    tile = image.tile[0]
    codec = Image._getdecoder(image.mode, tile.codec_name, tile.args, image.decoderconfig)
    try:
        codec.setimage(image.im, tile.extents)
        _decode(_Decoder(cast(_Codec, codec)), memoryview(data), structure, lenient=lenient)
    finally:
        codec.cleanup()
    image.tile = []


class _Decoder:
    """Pillow's decoder and the bytes that it did not take yet."""

    def __init__(self, codec: _Codec) -> None:
        self._codec = codec
        self._rest = b""
        self.finished = False

    def feed(self, piece: bytes | memoryview) -> bool:
        """Gives the decoder more bytes; returns whether it took all. Raises OSError if it cannot go on."""
        if self.finished:
            return True
        given = self._rest + piece if self._rest else piece
        taken, error = self._codec.decode(given)
        if taken < 0:
            if error:
                raise OSError("broken data stream")
            self.finished = True
            return True
        self._rest = bytes(given[taken:])
        return not self._rest

    def is_waiting(self) -> bool:
        """Whether the decoder needs more data of the current scan or restart interval."""
        self.feed(_PADDING)
        return not (self.feed(_BYTE) and self.feed(_BYTE))


def _decode(decoder: _Decoder, view: memoryview, structure: Structure, *, lenient: bool) -> None:
    for scan in structure.scans:
        decoder.feed(scan.head)
        if lenient:
            decoder.feed(view[scan.start : scan.end])
        else:
            _feed_checked(decoder, view, scan)
    decoder.feed(_END)
    if not decoder.finished:
        raise OSError("broken data stream")


def _feed_checked(decoder: _Decoder, view: memoryview, scan: Scan) -> None:
    start = scan.start
    checked = scan.restarts.tolist() if len(scan.restarts) <= _MAX_CHECKED_INTERVALS else []
    for end in [*checked, scan.end]:
        decoder.feed(view[start:end])
        if decoder.is_waiting():
            raise DamagedImage(
                f"The JPEG is truncated or corrupt: data are missing before byte {end:,} of {len(view):,}; "
                "send the whole file, or save the picture anew"
            )
        start = end
