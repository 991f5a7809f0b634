"""A JPEG whose structure was checked, and whose pixels were not decoded."""

import io
from dataclasses import dataclass

from PIL.JpegImagePlugin import JpegImageFile

from app.decoding.jpeg.pixels import load_pixels
from app.decoding.jpeg.structure import Structure, read_structure
from app.decoding.limits import check_pixels
from app.decoding.orientation import Pixels, read_orientation
from app.decoding.picture import PillowPicture
from app.decoding.pixels import Allocate, to_array


@dataclass(frozen=True, slots=True)
class JpegPicture(PillowPicture):
    """A picture of which Pillow decodes the scans, one by one.

    data: the whole file
    structure: its scans
    lenient: whether scans may end early
    """

    data: bytes
    structure: Structure
    lenient: bool

    def load(self, allocate: Allocate) -> Pixels:
        """The upright picture, [C,H,W] uint8; raises `DamagedImage` for a scan that ends early, unless `lenient`."""
        load_pixels(self.image, self.data, self.structure, lenient=self.lenient)
        return to_array(self.image, self.orientation, allocate)


def open_jpeg(data: bytes, *, max_pixels: int, lenient: bool = False) -> JpegPicture:
    """Opens a JPEG and checks its limits.

    Raises `UnsupportedImage`, `DamagedImage`, `TooManyPixels`, or SyntaxError for a frame that Pillow does not know.
    """
    structure = read_structure(data, lenient=lenient)
    check_pixels(structure.frame.height, structure.frame.width, max_pixels)
    image = JpegImageFile(io.BytesIO(structure.scans[0].head))
    return JpegPicture("JPEG", image, read_orientation(structure.exif), data, structure, lenient)


def check_pixel_data(data: bytes, *, max_pixels: int) -> None:
    """Decodes a JPEG and drops the pixels.

    Raises `DamagedImage` if a scan ends early, and the errors of `open_jpeg`.
    """
    picture = open_jpeg(data, max_pixels=max_pixels)
    load_pixels(picture.image, data, picture.structure, lenient=False)
