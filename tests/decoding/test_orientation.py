import io
import struct
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image, ImageOps

from app.decoding import decode, read_header
from app.decoding.orientation import as_stored, read_orientation


def exif_block(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


def directory(order: str, kind: int, value: bytes, count: int = 1) -> bytes:
    """An EXIF block with another tag, followed by the orientation."""
    start = {"<": b"II\x2a\x00", ">": b"MM\x00\x2a"}[order] + struct.pack(order + "I", 8)
    other = struct.pack(order + "HHII", 0x010F, 3, 1, 0)
    return start + struct.pack(order + "H", count + 1) + other + struct.pack(order + "HHI", 0x0112, kind, 1) + value


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_every_orientation_of_every_format_is_decoded_upright(
    format: str, orientation: int, photo: Image.Image, save: Callable[..., bytes]
) -> None:
    data = save(photo, format, exif=exif_block(orientation))
    upright = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("RGB"))
    header = read_header(data, max_pixels=10_000)
    assert (header.height, header.width) == upright.shape[:2]
    np.testing.assert_array_equal(decode(data, max_pixels=10_000).permute(1, 2, 0).numpy(), upright)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_grey_of_16_bits_is_decoded_upright(orientation: int, save: Callable[..., bytes]) -> None:
    stored = np.arange(6, dtype=np.uint16).reshape(2, 3) * 9999
    data = save(Image.fromarray(stored), "PNG", exif=exif_block(orientation))
    upright = decode(data, max_pixels=10_000)
    assert upright.is_contiguous()
    np.testing.assert_array_equal(as_stored(upright.numpy(), orientation)[0], stored)


def test_an_orientation_after_the_pixels_of_a_png_is_applied(
    make_png: Callable[..., bytes], samples: dict[str, bytes]
) -> None:
    data = samples["png palette"]
    end = len(data) - 12
    exif = make_png(b"", (b"eXIf", directory(">", 3, b"\0\x06\0\0")))[8 + 12 :]  # eXIf and IEND
    assert read_header(data[:end] + exif, max_pixels=10_000).height == 53
    assert decode(data[:end] + exif, max_pixels=10_000).shape == (3, 53, 37)


def test_an_orientation_in_the_xmp_block_alone_is_ignored_everywhere(
    photo: Image.Image, save: Callable[..., bytes]
) -> None:
    xmp = b'<rdf:Description tiff:Orientation="6"/>'
    options: dict[str, dict[str, object]] = {
        "TIFF": {"tiffinfo": {700: xmp}},
        "WEBP": {"xmp": xmp},
        "JPEG": {"xmp": xmp},
    }
    for format in options:
        data = save(photo, format, **options[format])
        assert xmp in data
        assert read_header(data, max_pixels=10_000).height == 37
        assert decode(data, max_pixels=10_000).shape == (3, 37, 53)


@pytest.mark.parametrize("prefix", [b"", b"Exif\0\0"])
@pytest.mark.parametrize(
    ("order", "kind", "value"),
    [("<", 3, b"\x08\0\0\0"), (">", 3, b"\0\x08\0\0"), ("<", 4, b"\x08\0\0\0"), (">", 4, b"\0\0\0\x08")],
)
def test_both_byte_orders_and_integer_sizes_are_read(order: str, kind: int, value: bytes, prefix: bytes) -> None:
    assert read_orientation(prefix + directory(order, kind, value)) == 8


def test_an_unreadable_orientation_is_read_as_upright() -> None:
    good = directory("<", 3, b"\x06\0\0\0")
    assert read_orientation(directory("<", 3, b"\x09\0\0\0")) == 1
    assert read_orientation(directory("<", 3, b"\0\0\0\0")) == 1
    assert read_orientation(b"XX" + good[2:]) == 1
    assert read_orientation(good[:4] + b"\xff\xff\xff\xff" + good[8:]) == 1
    assert {read_orientation(good[:length]) for length in range(len(good) - 4)} == {1}
