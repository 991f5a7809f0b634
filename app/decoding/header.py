"""What a picture's header tells: enough to admit a request by its size before anything is decoded."""

from dataclasses import dataclass

from app.decoding.opening import open_picture


@dataclass(frozen=True, slots=True)
class Header:
    """Format (`JPEG`, `PNG`, `WebP`, `BMP` or `TIFF`) and size of the upright picture, in pixels."""

    format: str
    height: int
    width: int


def read_header(data: bytes, *, max_pixels: int) -> Header:
    """The header of a picture, after EXIF rotation; of several pages or frames, that of the first.

    No pixel is decoded and no memory allocated for any. Raises `UnsupportedImage`, `DamagedImage` or `TooManyPixels`;
    a header that is right does not mean that the pixels are.
    """
    picture = open_picture(data, max_pixels=max_pixels)
    height, width = picture.size
    return Header(picture.format, height, width)
