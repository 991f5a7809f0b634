"""Opens a picture without decoding any pixel."""

import io
from dataclasses import dataclass

from PIL.ImageFile import ImageFile

from app.decoding import png, webp
from app.decoding.damage import reporting_damage
from app.decoding.formats import FORMATS, identify
from app.decoding.limits import check_cost, check_pixels
from app.decoding.orientation import read_orientation, swaps_edges


@dataclass(frozen=True, slots=True)
class Picture:
    """An opened picture.

    format: a key of `FORMATS`
    image: Pillow's image, without its pixels
    orientation: the EXIF orientation, 1 to 8, that must be applied after the pixels are loaded
    """

    format: str
    image: ImageFile
    orientation: int

    @property
    def size(self) -> tuple[int, int]:
        """`(height, width)` of the upright picture."""
        width, height = self.image.size
        return (width, height) if swaps_edges(self.orientation) else (height, width)


def open_picture(data: bytes, *, max_pixels: int) -> Picture:
    """Opens a picture and checks its limits; raises `UnsupportedImage`, `DamagedImage` or `TooManyPixels`."""
    format = identify(data)
    with reporting_damage(format):
        if format == "WebP" and (canvas := webp.canvas_size(data)):
            check_pixels(*canvas, max_pixels)
        image = FORMATS[format](io.BytesIO(data))
        check_cost(image, data, max_pixels=max_pixels)
        return Picture(format, image, _orientation(format, image, data))


def _orientation(format: str, image: ImageFile, data: bytes) -> int:
    if format == "TIFF":
        # Pillow applies the orientation of a TIFF while it loads the pixels, and reports the upright size. Without an
        # orientation tag it would apply the orientation of the XMP block, which the reported size does not include.
        image.info.pop("xmp", None)
        return 1
    if format == "PNG":
        return read_orientation(png.exif(data))
    return read_orientation(image.info.get("exif", b""))
