"""Reads the header of a picture: enough to admit a request by its size, before any pixel is decoded."""

from dataclasses import dataclass

from app.decoding.opening import open_picture


@dataclass(frozen=True, slots=True)
class Header:
    """The header of a picture.

    format: `JPEG`, `PNG`, `WebP`, `BMP`, `TIFF` or `AVIF`
    height, width: the size of the upright picture, in pixels
    """

    format: str
    height: int
    width: int


def read_header(data: bytes, *, max_pixels: int, lenient: bool = False) -> Header:
    """The header of a picture, after EXIF rotation; of several pages or frames, that of the first.

    No pixel is decoded, and no memory is allocated for pixels. Raises `UnsupportedImage`, `DamagedImage` or
    `TooManyPixels`. The pixels may be damaged even if the header is valid. `lenient` is that of `decode`.
    """
    picture = open_picture(data, max_pixels=max_pixels, lenient=lenient)
    height, width = picture.size
    return Header(picture.format, height, width)
