"""Kind 1: small files of many pixels, or of a row of very many tiles."""

import io
import struct
import zlib

from PIL import Image

from benchmarks.torture.bombs.trick import MODEL, PREDICT, Trick, upload
from benchmarks.torture.samples import encoded

SIGNATURE = b"\x89PNG\r\n\x1a\n"
ZLIB_LEVEL = 9


def chunk(kind: bytes, data: bytes = b"") -> bytes:
    """A chunk of PNG."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int, height: int, *, before: bytes = b"", interlaced: bool = False, rows: int | None = None) -> bytes:
    """A white PNG of one bit a pixel; `rows`: how many of them it really has; `before`: chunks before the pixels."""
    packer, row = zlib.compressobj(ZLIB_LEVEL), b"\0" + b"\xff" * ((width + 7) // 8)
    data = b"".join(packer.compress(row) for _ in range(height if rows is None else rows)) + packer.flush()
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, int(interlaced)))
    return SIGNATURE + header + before + chunk(b"IDAT", data) + chunk(b"IEND")


def tiff(width: int, height: int, compression: str) -> bytes:
    return encoded(Image.new("1", (width, height), 1), "TIFF", compression=compression)


def _webp(width: int, height: int) -> bytes:
    return encoded(Image.new("L", (width, height), 200).convert("RGB"), "WEBP", lossless=True)


def _bmp(width: int, height: int) -> bytes:
    """A BMP whose header announces this size, and whose pixels are missing."""
    file = io.BytesIO()
    Image.new("L", (4, 4)).save(file, "BMP")
    data = bytearray(file.getvalue())
    data[18:26] = struct.pack("<ii", width, height)
    return bytes(data)


def _heatmap() -> str:
    return f"/v1/models/{MODEL}/heatmap"


TRICKS = [
    Trick(1, "PNG of 300,000 x 1", upload(lambda: png(300_000, 1))),
    Trick(1, "PNG of 1 x 250,000", upload(lambda: png(1, 250_000))),
    Trick(1, "PNG of 260,000 x 3 as a heatmap", upload(lambda: png(260_000, 3), _heatmap())),
    Trick(1, "TIFF of 200,000 x 2, deflated", upload(lambda: tiff(200_000, 2, "tiff_adobe_deflate"))),
    Trick(
        1, "PNG of a million x 1, overlay asked for", upload(lambda: png(1_000_000, 1), PREDICT + "?include=heatmap")
    ),
    Trick(1, "PNG of 2,000 million x 2,000 million", upload(lambda: png(2**31 - 1, 2**31 - 1, rows=1))),
    Trick(1, "interlaced PNG of 5,000 x 600", upload(lambda: png(5_000, 600, interlaced=True, rows=2000))),
    Trick(1, "TIFF of 900,000 x 900,000, one row", upload(lambda: tiff_of(900_000, 900_000))),
    Trick(1, "BMP whose header says 60,000 x -60,000", upload(lambda: _bmp(60_000, -60_000))),
    Trick(1, "WebP of 16,383 x 16", upload(lambda: _webp(16_383, 16))),
]


def tiff_of(width: int, height: int) -> bytes:
    """A TIFF of one strip that announces all rows, and has the bytes of one."""
    tags = [
        (256, 4, width),
        (257, 4, height),
        (258, 3, 1),
        (259, 3, 1),
        (262, 3, 1),
        (273, 4, 8 + 2 + 12 * 8 + 4),
        (278, 4, 2**32 - 1),
        (279, 4, width // 8),
    ]
    entries = b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in tags)
    return b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + bytes(4) + bytes(width // 8)
