"""Kind 2: files whose structure alone is costly: many, nested, repeated or packed parts."""

import struct
import zlib

from PIL import Image

from benchmarks.torture.bombs.pixels import SIGNATURE, chunk, png
from benchmarks.torture.bombs.trick import Trick, upload
from benchmarks.torture.samples import encoded

MB = 2**20


def jpeg(edge: int = 64, **options: object) -> bytes:
    return encoded(Image.new("RGB", (edge, edge), (90, 120, 150)), "JPEG", **options)


def behind_start(parts: bytes) -> bytes:
    """A JPEG with these bytes behind its start marker."""
    whole = jpeg()
    return whole[:2] + parts + whole[2:]


def segment(marker: int, data: bytes = b"") -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(data) + 2) + data


def _quantisation() -> bytes:
    return segment(0xDB, bytes([0]) + bytes([16] * 64))


def _nested_exif() -> bytes:
    """An Exif directory whose sub-directory is itself, and whose next one is itself."""
    directory = struct.pack(">HHHII", 1, 0x8769, 4, 1, 8) + struct.pack(">I", 8)
    return segment(0xE1, b"Exif\0\0MM\0*" + struct.pack(">I", 8) + directory)


def _packed_text(size: int) -> bytes:
    return chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(size), 9))


def _profile(size: int) -> bytes:
    return chunk(b"iCCP", b"p\0\0" + zlib.compress(bytes(size), 9))


def _tiff(tags: list[tuple[int, int, int, int]], next_directory: int = 0, extra: bytes = b"") -> bytes:
    body = b"".join(struct.pack(">HHII", *tag) for tag in tags)
    return b"MM\0*" + struct.pack(">IH", 8, len(tags)) + body + struct.pack(">I", next_directory) + extra


_SMALL = [(256, 4, 1, 64), (257, 4, 1, 64), (258, 4, 1, 8), (259, 4, 1, 1), (262, 4, 1, 1), (273, 4, 1, 8)]


def _riff(chunks: bytes) -> bytes:
    """An extended WebP with these chunks before its picture."""
    picture = encoded(Image.new("RGB", (64, 64)), "WEBP")[12:]
    extended = b"VP8X" + struct.pack("<I", 10) + bytes([0]) + bytes(3) + b"\x3f\0\0\x3f\0\0"
    content = b"WEBP" + extended + chunks + picture
    return b"RIFF" + struct.pack("<I", len(content)) + content


def _avif(boxes: bytes) -> bytes:
    whole = encoded(Image.new("RGB", (64, 64)), "AVIF")
    (first,) = struct.unpack(">I", whole[:4])
    return whole[:first] + boxes + whole[first:]


def _nested_boxes(depth: int) -> bytes:
    boxes = b""
    for _ in range(depth):
        boxes = struct.pack(">I", len(boxes) + 8) + b"moov" + boxes
    return boxes


TRICKS = [
    Trick(2, "JPEG of 1.5 million comments", upload(lambda: behind_start(segment(0xFE) * 1_500_000))),
    Trick(2, "JPEG of 8 MB of fill bytes", upload(lambda: behind_start(b"\xff" * 8 * MB))),
    Trick(2, "JPEG of 60,000 tables", upload(lambda: behind_start(_quantisation() * 60_000))),
    Trick(2, "JPEG of 3,000 Exif loops", upload(lambda: behind_start(_nested_exif() * 3_000))),
    Trick(
        2,
        "JPEG of 200 profiles of 60 kB",
        upload(lambda: behind_start(segment(0xE2, b"ICC_PROFILE\0" + bytes(60_000)) * 200)),
    ),
    Trick(2, "PNG of a million empty texts", upload(lambda: png(64, 64, before=chunk(b"tEXt") * 1_000_000))),
    Trick(2, "PNG of 200 texts that unpack to 60 MB", upload(lambda: png(64, 64, before=_packed_text(60 * MB) * 200))),
    Trick(2, "PNG whose profile unpacks to 900 MB", upload(lambda: png(64, 64, before=_profile(900 * MB)))),
    Trick(2, "PNG of 700,000 empty pixel chunks", upload(lambda: png(64, 64, before=chunk(b"IDAT") * 700_000))),
    Trick(
        2,
        "PNG without an end, 20 MB",
        upload(lambda: SIGNATURE + chunk(b"IHDR", struct.pack(">IIBBBBB", 64, 64, 8, 0, 0, 0, 0)) + bytes(20 * MB)),
    ),
    Trick(
        2,
        "TIFF of 65,000 tags",
        upload(lambda: _tiff(_SMALL + [(40000 + number % 9000, 3, 1, 0) for number in range(65_000)])),
    ),
    Trick(2, "TIFF whose directory is its own next", upload(lambda: _tiff(_SMALL, 8))),
    Trick(
        2,
        "TIFF of 900,000 strips of one byte",
        upload(
            lambda: _tiff(
                [*_SMALL[:5], (273, 4, 900_000, 200), (278, 4, 1, 1), (279, 4, 900_000, 200)], 0, bytes(4 * MB)
            )
        ),
    ),
    Trick(2, "TIFF with a text of 4,000 million bytes", upload(lambda: _tiff([*_SMALL, (270, 2, 4_000_000_000, 8)]))),
    Trick(2, "WebP of 500,000 unknown chunks", upload(lambda: _riff(b"ABCD\0\0\0\0" * 500_000))),
    Trick(2, "AVIF of a million empty boxes", upload(lambda: _avif((struct.pack(">I", 8) + b"free") * 1_000_000))),
    Trick(2, "AVIF of boxes nested 200,000 deep", upload(lambda: _avif(_nested_boxes(200_000)))),
]
