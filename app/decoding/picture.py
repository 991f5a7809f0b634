"""A picture whose header was read, and whose pixels were not."""

from dataclasses import dataclass
from typing import Protocol

from PIL.ImageFile import ImageFile

from app.decoding.orientation import Pixels, swaps_edges
from app.decoding.pixels import Allocate, to_array


class Picture(Protocol):
    """A picture whose header was read, and whose pixels were not."""

    @property
    def format(self) -> str:
        """A key of `FORMATS`."""

    @property
    def orientation(self) -> int:
        """The orientation that `load` applies, 1 to 8 as in EXIF."""

    @property
    def size(self) -> tuple[int, int]:
        """`(height, width)` of the upright picture."""

    def load(self, allocate: Allocate) -> Pixels:
        """The upright picture, [C,H,W] uint8 or uint16; see `decode_array`. Lets errors of the decoder pass."""


@dataclass(frozen=True, slots=True)
class PillowPicture:
    """A picture that Pillow decodes.

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

    def load(self, allocate: Allocate) -> Pixels:
        """The upright picture, [C,H,W] uint8 or uint16."""
        self.image.load()
        return to_array(self.image, self.orientation, allocate)
