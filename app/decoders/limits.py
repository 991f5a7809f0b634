"""The memory and the processor time that a decoder process may use for one picture.

They bound pictures that are made to be costly. Noise of 2000 x 2000 pixels, beyond the file itself, took 4 to 8 bytes a
pixel as PNG, up to 15 as progressive JPEG, up to 17 as AVIF, and up to 23 as WebP; and up to 0.22 us a pixel (AVIF).
"""

from dataclasses import dataclass
from math import ceil

_BASE_BYTES = 96 * 2**20
_BYTES_PER_FILE_BYTE = 4  # the file, its copy in Pillow, and the strips or chunks that are being unpacked
_BYTES_PER_PIXEL = 32
_BASE_S = 2
_S_PER_FILE_BYTE = 2**-23
_S_PER_PIXEL = 2**-20


ROWS_BYTES = 2 * 2**30
"""The memory for reading a picture by libvips in rows: one with strips as high as the picture is decoded whole."""
ROWS_BYTES_PER_COLUMN = 2**13
ROWS_BASE_S = 20


@dataclass(frozen=True, slots=True)
class DecoderLimits:
    """The limits of one picture.

    memory_bytes: the address space beyond that of an idle decoder (RLIMIT_AS)
    processor_s: the processor time (RLIMIT_CPU), which the kernel checks once a second
    """

    memory_bytes: int
    processor_s: int


def header_limits(file_bytes: int) -> DecoderLimits:
    """The limits for reading the header of a file."""
    return pixel_limits(file_bytes, 0)


def pixel_limits(file_bytes: int, pixels: int) -> DecoderLimits:
    """The limits for decoding a file whose header announces this many pixels."""
    return DecoderLimits(
        _BASE_BYTES + _BYTES_PER_FILE_BYTE * file_bytes + _BYTES_PER_PIXEL * pixels,
        ceil(_BASE_S + _S_PER_FILE_BYTE * file_bytes + _S_PER_PIXEL * pixels),
    )


def row_limits(file_bytes: int, pixels: int, width: int) -> DecoderLimits:
    """The limits for reading all rows of a picture once, by libvips. Its header is read with `pixels` and `width` 0."""
    return DecoderLimits(
        ROWS_BYTES + ROWS_BYTES_PER_COLUMN * width,
        ceil(ROWS_BASE_S + _S_PER_FILE_BYTE * file_bytes + _S_PER_PIXEL * pixels),
    )
