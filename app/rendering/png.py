"""A PNG writer that is faster than Pillow's (PNG specification, third edition).

Pillow tries five filters on each row, which takes longer than compressing it. The filter Sub alone at zlib's level 1
gives files of the same size in well under half the time. 4096 x 4096 pixels, two busy cores, Pillow 13.0 at level 1:

              here             Pillow           filter None      Sub, level 2
    overlay   1.3 s  18.7 MB   3.3 s  18.9 MB   2.1 s  31.0 MB   1.7 s  17.9 MB
    heatmap   0.8 s   6.0 MB   1.5 s   6.9 MB   1.5 s  11.3 MB   0.8 s   5.7 MB
    grey      0.2 s   1.3 MB   0.5 s   1.3 MB   0.2 s   1.6 MB   0.2 s   1.3 MB

Level 6 makes Pillow's files 20 % smaller and takes it four times as long.
"""

import struct
import zlib

import numpy as np
import numpy.typing as npt

from app.rendering.bands import row_bands

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_LEVEL = 1
_SUB = 1  # each byte less the one of the pixel to its left
_COLOR_TYPE = {1: 0, 3: 2}  # channels -> greyscale, truecolour


def write_png(pixels: npt.NDArray[np.uint8 | np.uint16]) -> bytes:
    """[1,H,W] or [3,H,W] uint8 or uint16 -> PNG of that many channels and bits."""
    channels, height, width = pixels.shape
    header = struct.pack(">IIBBBBB", width, height, 8 * pixels.itemsize, _COLOR_TYPE[channels], 0, 0, 0)
    parts = [_SIGNATURE, *_chunk(b"IHDR", header)]
    deflate = zlib.compressobj(_LEVEL)
    for rows in row_bands(height, width):
        if data := deflate.compress(_filtered(pixels[:, rows]).data):
            parts += _chunk(b"IDAT", data)
    parts += _chunk(b"IDAT", deflate.flush())
    parts += _chunk(b"IEND", b"")
    return b"".join(parts)


def _filtered(band: npt.NDArray[np.uint8 | np.uint16]) -> npt.NDArray[np.uint8]:
    """The band's bytes as they are compressed: [rows, 1 + bytes per row], each row led by its filter."""
    channels, height, width = band.shape
    pixel = channels * band.itemsize
    # Pixel by pixel, most significant byte first.
    rows = np.ascontiguousarray(band.transpose(1, 2, 0), band.dtype.newbyteorder(">")).view(np.uint8)
    rows = rows.reshape(height, width * pixel)
    filtered = np.empty((height, 1 + width * pixel), np.uint8)
    filtered[:, 0] = _SUB
    filtered[:, 1 : 1 + pixel] = rows[:, :pixel]
    np.subtract(rows[:, pixel:], rows[:, :-pixel], out=filtered[:, 1 + pixel :])
    return filtered


def _chunk(kind: bytes, data: bytes) -> tuple[bytes, bytes, bytes]:
    return struct.pack(">I", len(data)) + kind, data, struct.pack(">I", zlib.crc32(data, zlib.crc32(kind)))
