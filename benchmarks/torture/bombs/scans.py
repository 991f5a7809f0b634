"""Kind 3: files that take long to decode."""

import struct
import zlib

from PIL import Image

from benchmarks.torture.bombs.headers import jpeg
from benchmarks.torture.bombs.pixels import SIGNATURE, chunk
from benchmarks.torture.bombs.trick import Trick, upload
from benchmarks.torture.samples import encoded


def _scans(data: bytes, edge: int, count: int) -> bytes:
    """A JPEG of this edge, whose scans are repeated `count` times, each with the same data."""
    start = data.index(b"\xff\xda")
    head = bytearray(data[:start])
    frame = max(head.find(b"\xff\xc0"), head.find(b"\xff\xc2"))
    head[frame + 5 : frame + 9] = struct.pack(">HH", edge, edge)
    scans = data[start:-2]
    return bytes(head) + scans * count + b"\xff\xd9"


def _restarts(edge: int) -> bytes:
    """A JPEG of restart markers only, one for each block."""
    data = jpeg(64, restart_marker_blocks=1)
    start = data.index(b"\xff\xda")
    length = struct.unpack(">H", data[start + 2 : start + 4])[0]
    head = bytearray(data[: start + 2 + length])
    frame = head.find(b"\xff\xc0")
    head[frame + 5 : frame + 9] = struct.pack(">HH", edge, edge)
    markers = b"".join(bytes([0xFF, 0xD0 + number % 8]) for number in range(500_000))
    return bytes(head) + markers + b"\xff\xd9"


def _tiny_pixel_chunks(edge: int) -> bytes:
    """A PNG whose packed pixels come in chunks of one byte."""
    packed = zlib.compress((b"\0" + b"\x55" * edge) * edge, 0)
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", edge, edge, 8, 0, 0, 0, 0))
    return (
        SIGNATURE + header + b"".join(chunk(b"IDAT", packed[at : at + 1]) for at in range(len(packed))) + chunk(b"IEND")
    )


def _animation(format: str, frames: int) -> bytes:
    pictures = [Image.new("P", (64, 64), number % 7) for number in range(frames)]
    return encoded(pictures[0], format, save_all=True, append_images=pictures[1:])


def _strips(edge: int) -> bytes:
    return encoded(Image.new("L", (edge, edge), 9), "TIFF", compression="tiff_lzw", strip_size=edge)


TRICKS = [
    Trick(3, "baseline JPEG of 5,000 whole scans", upload(lambda: _scans(jpeg(64), 2000, 5_000))),
    Trick(3, "progressive JPEG of 3,000 scans", upload(lambda: _scans(jpeg(64, progressive=True), 2000, 300))),
    Trick(3, "JPEG of 500,000 restart markers", upload(lambda: _restarts(6000))),
    Trick(3, "PNG of a million pixel chunks of one byte", upload(lambda: _tiny_pixel_chunks(900))),
    Trick(3, "animated PNG of 3,000 frames", upload(lambda: _animation("PNG", 3000))),
    Trick(3, "animated WebP of 2,000 frames", upload(lambda: _animation("WEBP", 2000))),
    Trick(3, "TIFF of 3,000 packed strips", upload(lambda: _strips(3000))),
]
