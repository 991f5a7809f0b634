"""From bytes to an opened picture of which no pixel is decoded yet."""

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
    """An opened picture: its format's name, Pillow's image, and how its pixels must be turned once they are loaded."""

    format: str
    image: ImageFile
    orientation: int

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the upright picture."""
        width, height = self.image.size
        return (width, height) if swaps_edges(self.orientation) else (height, width)


def open_picture(data: bytes, *, max_pixels: int) -> Picture:
    """The picture of `data`, within the limits; raises `UnsupportedImage`, `DamagedImage` or `TooManyPixels`."""
    format = identify(data)
    with reporting_damage(format):
        if format == "WebP" and (canvas := webp.canvas_size(data)):
            check_pixels(*canvas, max_pixels)
        image = FORMATS[format](io.BytesIO(data))
        check_cost(image, data, max_pixels=max_pixels)
        return Picture(format, image, _orientation(format, image, data))


def _orientation(format: str, image: ImageFile, data: bytes) -> int:
    if format == "TIFF":
        # Pillow turns TIFF itself while loading, and announces the turned size. If there is no such tag it would follow
        # an orientation in the XMP block instead, behind the back of the size.
        image.info.pop("xmp", None)
        return 1
    if format == "PNG":
        return read_orientation(png.exif(data))
    return read_orientation(image.info.get("exif", b""))
