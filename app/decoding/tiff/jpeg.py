"""A page of a TIFF whose strips or tiles are JPEG (Adobe's TIFF Technical Note 2).

libtiff hides the warnings of libjpeg as Pillow does. So each strip or tile is checked and decoded once as a JPEG of its
own, before Pillow decodes the page. Decoding takes twice as long as without the check; such files are rare.
"""

from dataclasses import dataclass

import numpy as np

from app.decoding.jpeg import check_pixel_data
from app.decoding.orientation import Pixels
from app.decoding.picture import PillowPicture
from app.decoding.pixels import Allocate
from app.decoding.tiff.segments import Segments
from app.errors import DamagedImage

_TABLES = 347  # the tag JPEGTables
_MAX_SHARED = 4  # strips or tiles may share bytes, up to this multiple of the file
_MARKER_BYTES = 2
_BLOCK = 16  # strips and tiles are rounded up to whole units


@dataclass(frozen=True, slots=True)
class JpegPage(PillowPicture):
    """A page that Pillow decodes as a whole, after its strips or tiles were checked."""

    segments: Segments

    def load(self, allocate: Allocate) -> Pixels:
        """The upright picture, [C,H,W] uint8; raises `DamagedImage` for a strip or tile that ends early."""
        self._check()
        # Not super(), which does not work in a dataclass with slots on Python 3.11.
        return PillowPicture.load(self, allocate)

    def _check(self) -> None:
        page, places = self.segments.page, self.segments.places()
        if places.counts.sum() > _MAX_SHARED * len(page.data):
            raise DamagedImage("The TIFF is corrupt: its strips or tiles have more bytes than the file; save it anew")
        _, length, position = page.entries.get(_TABLES, (1, 0, 0))
        tables = page.data[position + _MARKER_BYTES : position + length - _MARKER_BYTES] if length else b""
        most = (self.segments.rows + _BLOCK) * (self.segments.columns + _BLOCK)
        different = np.unique(np.stack([places.offsets.ravel(), places.counts.ravel()]), axis=1)
        for offset, count in different.T.tolist():
            strip = page.data[offset + _MARKER_BYTES : offset + count]
            try:
                check_pixel_data(b"\xff\xd8" + tables + strip, max_pixels=most)
            except SyntaxError:  # two samples a pixel, which Pillow reads only within a TIFF
                return
            except DamagedImage as error:
                raise DamagedImage(
                    f"The TIFF is truncated or corrupt: its strip or tile at byte {offset:,}: {error}"
                ) from error
