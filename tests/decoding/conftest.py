"""Pictures that the tests of this folder share. All are generated here."""

import io
import struct
import zlib
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

Save = Callable[..., bytes]

HEIGHT, WIDTH = 37, 53


def save_as(image: Image.Image, format: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, format, **options)
    return file.getvalue()


@pytest.fixture(scope="session")
def save() -> Save:
    """Encodes a Pillow image: save(image, format, **options)."""
    return save_as


@pytest.fixture(scope="session")
def photo() -> Image.Image:
    """A smooth coloured picture, 37 high and 53 wide, without any symmetry."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    channels = [x * 4 + y, 255 - y * 5, 128 + 100 * np.sin(x / 9 + y / 5)]
    return Image.fromarray(np.stack(channels, axis=2).clip(0, 255).astype(np.uint8))


@pytest.fixture(scope="session")
def deep() -> np.ndarray[tuple[int, int], np.dtype[np.uint16]]:
    """Grey of 16 bits, 37 high and 53 wide, with 0, 65535 and values in between."""
    return np.linspace(0, 65535, HEIGHT * WIDTH).astype(np.uint16).reshape(HEIGHT, WIDTH)


def png_of(header: bytes, *chunks: tuple[bytes, bytes]) -> bytes:
    parts = [b"\x89PNG\r\n\x1a\n"]
    for kind, content in ((b"IHDR", header), *chunks, (b"IEND", b"")):
        parts += [struct.pack(">I", len(content)), kind, content, struct.pack(">I", zlib.crc32(kind + content))]
    return b"".join(parts)


@pytest.fixture(scope="session")
def make_png() -> Callable[..., bytes]:
    """Builds a PNG from its 13 bytes of header and (type, content) of each further chunk; adds checksums and IEND."""
    return png_of


def run_length_bmp(height: int, width: int, rows: bytes) -> bytes:
    header = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 8, 1, len(rows), 0, 0, 256, 0)
    palette = b"".join(bytes((i, 255 - i, i // 2, 0)) for i in range(256))
    start = 14 + len(header) + len(palette)
    return b"BM" + struct.pack("<IHHI", start + len(rows), 0, 0, start) + header + palette + rows


@pytest.fixture(scope="session")
def make_run_length_bmp() -> Callable[[int, int, bytes], bytes]:
    """Builds a run-length BMP with a coloured palette: make(height, width, rows)."""
    return run_length_bmp


@pytest.fixture(scope="session")
def samples(photo: Image.Image, deep: np.ndarray[tuple[int, int], np.dtype[np.uint16]]) -> dict[str, bytes]:
    """Files of all formats, and of the variants that decoders treat differently."""
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = photo.rotate(20)
    palette, grey, bilevel = photo.quantize(64), photo.convert("L"), photo.convert("1")
    translucent = photo.copy()
    translucent.putalpha(grey)
    files = {
        "jpeg": save_as(photo, "JPEG", exif=exif),
        "jpeg progressive": save_as(photo, "JPEG", progressive=True),
        "jpeg grey": save_as(grey, "JPEG", restart_marker_blocks=2),
        "jpeg cmyk": save_as(photo.convert("CMYK"), "JPEG"),
        "jpeg pages": save_as(photo.copy(), "MPO", save_all=True, append_images=[turned.copy()]),
        "png": save_as(photo, "PNG", exif=exif),
        "png palette": save_as(palette, "PNG", transparency=bytes(range(64))),
        "png 16-bit": save_as(Image.fromarray(deep), "PNG"),
        "png animated": save_as(photo, "PNG", save_all=True, append_images=[turned]),
        "webp": save_as(photo, "WEBP", exif=exif),
        "webp lossless": save_as(translucent, "WEBP", lossless=True),
        "webp animated": save_as(photo, "WEBP", save_all=True, append_images=[turned]),
        "avif": save_as(photo, "AVIF", exif=exif.tobytes()),
        "avif translucent": save_as(translucent, "AVIF"),
        "avif animated": save_as(photo, "AVIF", save_all=True, append_images=[turned]),
        "bmp": save_as(photo, "BMP"),
        "bmp bilevel": save_as(bilevel, "BMP"),
        "bmp palette": save_as(palette, "BMP"),
        "bmp run-length": run_length_bmp(HEIGHT, WIDTH, bytes((WIDTH - 9, 7, 9, 200, 0, 0)) * HEIGHT + b"\0\1"),
        "tiff": save_as(photo, "TIFF", exif=exif),
        "tiff bilevel": save_as(bilevel, "TIFF"),
        "tiff palette": save_as(palette, "TIFF"),
        "tiff 16-bit": save_as(Image.fromarray(deep), "TIFF"),
        "tiff float": save_as(Image.fromarray((deep / 65535).astype(np.float32)), "TIFF"),
        "tiff lab": save_as(photo.convert("LAB"), "TIFF"),
        "tiff pages": save_as(photo, "TIFF", save_all=True, append_images=[turned]),
        "tiff big": save_as(photo, "TIFF", big_tiff=True),
    }
    for compression in ("tiff_lzw", "tiff_adobe_deflate", "jpeg", "packbits"):
        files[f"tiff {compression}"] = save_as(photo, "TIFF", compression=compression)
    return files
