"""A TIFF of which this package reads the pixels: strip by strip or tile by tile, into one array."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from app.decoding.orientation import Pixels, as_stored, swaps_edges
from app.decoding.pixels import Allocate
from app.decoding.tiff import compression
from app.decoding.tiff.colours import Colours
from app.decoding.tiff.rendering import render
from app.decoding.tiff.sample_type import SampleType
from app.decoding.tiff.segments import Bytes, Segments, groups, read_bytes
from app.decoding.tiff.tags import Tag
from app.decoding.tiff.values import Values, libtiff_predictor, read_predictor, values_of
from app.errors import UnsupportedImage

_BAND_PIXELS = 1 << 18
_WHITE_8 = 255


@dataclass(frozen=True, slots=True)
class TiffPicture:
    """A page of a TIFF: its samples, their meaning, and where they are."""

    samples: SampleType
    colours: Colours
    segments: Segments

    @property
    def format(self) -> str:
        return "TIFF"

    @property
    def orientation(self) -> int:
        """1 to 8, as in EXIF."""
        number = self.segments.page.integer(Tag.Orientation, 1)
        return number if 1 <= number <= 8 else 1

    @property
    def size(self) -> tuple[int, int]:
        """`(height, width)` of the upright picture."""
        size = self.segments.height, self.segments.width
        return (size[1], size[0]) if swaps_edges(self.orientation) else size

    def load(self, allocate: Allocate) -> Pixels:
        """The upright picture, [C,H,W] uint8 or uint16; raises UnsupportedImage for values without a rule."""
        is_deep = self.colours.is_grey and self.samples.bits > 8
        channels = 1 if self.colours.is_grey else 3
        upright = allocate((channels, *self.size), np.uint16 if is_deep else np.uint8)
        stored = as_stored(upright, self.orientation)  # [C,height,width]
        top = 0
        for values in self._bands():
            rows = min(values.shape[1], self.segments.height - top)
            render(values[:, :rows], self.samples, self.colours, stored[:, top : top + rows])
            top += rows
        self._check_white(upright)
        return upright

    def first_samples(self) -> Values:
        """The first sample of each pixel as it is stored, upright, [H,W] of the samples' own kind."""
        bands = [values[0] for values in self._bands()]
        stored = np.concatenate(bands)[: self.segments.height]
        upright = np.empty(self.size, stored.dtype)
        as_stored(upright[None], self.orientation)[0] = stored
        return upright

    def _bands(self) -> Iterator[Values]:
        """The samples, band by band: [S,rows,width] each; the last one can have more rows than the picture."""
        segments, page = self.segments, self.segments.page
        compressed = page.integer(Tag.Compression, compression.NONE) != compression.NONE
        predictor = read_predictor(page, self.samples, compressed=compressed)
        in_libtiff = libtiff_predictor(predictor, self.samples, segments)
        places = segments.places()
        for first, last in groups(segments):
            group = read_bytes(segments, places, first, last, predictor=in_libtiff)
            for band in _cut(group, segments.columns):
                rest = 1 if predictor == in_libtiff else predictor
                values = values_of(band, segments.columns, segments.samples, self.samples, page.order, rest)
                planes, down, across, rows, columns, samples = values.shape
                planar = values.transpose(0, 5, 1, 3, 2, 4)  # [planes,samples,down,rows,across,columns]
                yield planar.reshape(planes * samples, down * rows, across * columns)[..., : segments.width]

    def _check_white(self, upright: Pixels) -> None:
        """Raises UnsupportedImage if integers of 32 bits look like 8-bit grey, which would be black in 16 bits."""
        if self.samples.bits == 32 and self.samples.kind != "float":
            brightest = int(upright.max())
            if 0 < brightest <= _WHITE_8:
                raise UnsupportedImage(
                    f"32-bit integers are taken as 16-bit grey, whose white is 65535, and these are {brightest} at "
                    "most, which would be black; save the picture as 8-bit or 16-bit grey"
                )


def _cut(group: Bytes, columns: int) -> Iterator[Bytes]:
    """Parts of [planes,down,across,rows,row_bytes] of about `_BAND_PIXELS` pixels each, from top to bottom."""
    _, down, across, rows, _ = group.shape
    step = max(1, _BAND_PIXELS // (across * columns))
    if step >= rows:
        for first in range(0, down, step // rows):
            yield group[:, first : first + step // rows]
        return
    for index in range(down):
        for top in range(0, rows, step):
            yield group[:, index : index + 1, :, top : top + step]
