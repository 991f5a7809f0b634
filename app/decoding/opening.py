"""Opens a picture without decoding any pixel."""

import io

from PIL.ImageFile import ImageFile

from app.decoding import png, webp
from app.decoding.boxes import check_boxes
from app.decoding.damage import reporting_damage
from app.decoding.formats import FORMATS, identify
from app.decoding.jpeg import open_jpeg
from app.decoding.limits import check_cost, check_pixels
from app.decoding.orientation import read_orientation
from app.decoding.picture import Picture, PillowPicture
from app.decoding.tiff import open_tiff


def open_picture(data: bytes, *, max_pixels: int, lenient: bool = False) -> Picture:
    """Opens a picture and checks its limits; raises `UnsupportedImage`, `DamagedImage` or `TooManyPixels`.

    With `lenient`, a JPEG whose data end early is opened.
    """
    format = identify(data)
    with reporting_damage(format):
        if format == "TIFF":
            return open_tiff(data, max_pixels=max_pixels)
        if format == "JPEG":
            return open_jpeg(data, max_pixels=max_pixels, lenient=lenient)
        if format == "WebP":
            webp.check_chunks(data)
        if format == "AVIF":
            check_boxes(data)
        if format == "WebP" and (canvas := webp.canvas_size(data)):
            check_pixels(*canvas, max_pixels)
        image = FORMATS[format](png.pixel_chunks(data) if format == "PNG" else io.BytesIO(data))
        check_cost(image, max_pixels=max_pixels)
        return PillowPicture(format, image, _orientation(format, image, data))


def _orientation(format: str, image: ImageFile, data: bytes) -> int:
    if format == "PNG":
        return read_orientation(png.exif(data))
    return read_orientation(image.info.get("exif", b""))
