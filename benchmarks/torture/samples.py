"""Small good pictures of all formats, from which damaged ones are made."""

import io
from collections.abc import Iterator

import numpy as np
from PIL import Image

from tests.conftest import draw_surface


def samples(height: int = 64, width: int = 96) -> dict[str, bytes]:
    """Files by the names of their formats and variants."""
    return dict(_files(height, width))


def _files(height: int, width: int) -> Iterator[tuple[str, bytes]]:
    drawn = draw_surface(7, height, width)
    rgb = Image.fromarray(drawn)
    grey, alpha = rgb.convert("L"), rgb.convert("RGBA")
    deep = Image.fromarray((drawn[..., 0].astype(np.uint16) << 8) + 5)
    yield "png", encoded(rgb, "PNG")
    yield "png-grey", encoded(grey, "PNG")
    yield "png-palette", encoded(rgb.quantize(32), "PNG", transparency=3)
    yield "png-16", encoded(deep, "PNG")
    yield "png-alpha", encoded(alpha, "PNG")
    yield "jpeg", encoded(rgb, "JPEG", quality=85)
    yield "jpeg-progressive", encoded(rgb, "JPEG", progressive=True, quality=60)
    yield "jpeg-cmyk", encoded(rgb.convert("CMYK"), "JPEG")
    yield "jpeg-restarts", encoded(rgb, "JPEG", restart_marker_blocks=2)
    yield "webp", encoded(rgb, "WEBP")
    yield "webp-lossless", encoded(alpha, "WEBP", lossless=True)
    yield "bmp", encoded(rgb, "BMP")
    yield "bmp-palette", encoded(rgb.quantize(16), "BMP")
    yield "tiff", encoded(rgb, "TIFF")
    yield "tiff-16", encoded(deep, "TIFF")
    for compression in ("tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg"):
        yield f"tiff-{compression.removeprefix('tiff_')}", encoded(rgb, "TIFF", compression=compression)
    yield "avif", encoded(rgb, "AVIF", quality=60)


def encoded(image: Image.Image, format: str, **options: object) -> bytes:
    """The picture as a file."""
    file = io.BytesIO()
    image.save(file, format, **options)
    return file.getvalue()
