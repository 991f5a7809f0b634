"""Predicts a picture in bands of rows, while it is read: memory does not grow with the picture's height."""

from collections.abc import Generator
from dataclasses import dataclass

from torch import Tensor

from app.pipeline.assembly import Assembly, completed
from app.pipeline.model import Prepared, TiledModel
from app.pipeline.resizing import resized
from app.pipeline.roi import Roi
from app.pipeline.rows import RowSource, RowWindow, TensorRows
from app.tiling import TilePlan, rows_shown

BAND_TILES = 64
"""The smallest number of tiles in a band, if the picture has so many: batches of the network are full."""

MAP_PIXELS = 2**22
"""The number of pixels of the map of a resized picture that are made at once, but at least one row."""


@dataclass(frozen=True, slots=True)
class MapBand:
    """Consecutive rows of a picture and of its anomaly map, or of the region of interest of both.

    top: the number of the first of these rows, counted from the first row of the picture or region
    values: [n,w] float32 on the CPU, not normalised
    pixels: [C,n,w] uint8 or uint16
    """

    top: int
    values: Tensor
    pixels: Tensor


class Scan:
    """The prediction of one picture in bands. A detector with thumbnails, or one that resizes, reads the source twice.

    bands: the plans of the bands' tiles, in order. The first may be that of the thumbnail.
    """

    def __init__(self, model: TiledModel, source: RowSource, roi: Roi | None = None) -> None:
        self._model, self._source, self._roi = model, source, roi
        self.plan = model.plan(*source.size, roi)
        self.bands = bands(self.plan)

    def run(self, batch_tiles: int = 0) -> Generator[MapBand, None, float]:
        """Yields the bands of the map from top to bottom, and returns the raw score. Raises NotFinite."""
        model, source = self._model, self._tiled_source()
        assembly: Assembly | None = None
        window, shown = RowWindow(source), [rows_shown(band) for band in self.bands]
        for number, band in enumerate(self.bands):
            prepared = self._prepared(source, window, band, shown[number])
            if assembly is None:
                assembly = Assembly(model, prepared)
            else:
                assembly.begin(band)
            for features in model.outputs(prepared, batch_tiles):
                for _ in assembly.add(features):
                    pass
            if band.own_rows:
                first = assembly.next_row
                values = completed(assembly.end())
                if len(values):
                    yield self._band(range(first, first + len(values)), values, window)
                later = [rows.start for rows in shown[number + 1 :] if rows]
                window.drop(min([assembly.next_row, *later]))
        assert assembly is not None
        if assembly.is_resized:
            yield from self._enlarged(assembly)
        return assembly.score()

    def _tiled_source(self) -> RowSource:
        """The picture at the size at which it is tiled."""
        if self.plan.image_size == self._source.size:
            return self._source
        small = resized(self._source, self.plan.image_size, antialias=self._model.preprocessing.antialias)
        self._source.restart()
        return TensorRows(small, self._source.white)

    def _prepared(self, source: RowSource, window: RowWindow, band: TilePlan, rows: range) -> Prepared:
        if band.thumbnail is None:
            pixels, first = window.rows(rows), rows.start
        else:
            pixels, first = resized(source, band.thumbnail.image_size), 0
            source.restart()
        uploaded = self._model.uploader.upload(pixels)
        return Prepared(uploaded, source.white, band, self._source.size, self._roi, first)

    def _band(self, rows: range, values: Tensor, window: RowWindow) -> MapBand:
        region = self._roi or Roi.whole(self._source.size)
        pixels = window.rows(rows)[:, :, region.left : region.left + region.width]
        return MapBand(rows.start - region.top, values, pixels)

    def _enlarged(self, assembly: Assembly) -> Generator[MapBand, None, None]:
        """The map of a resized picture, at the picture's size."""
        region, window = self._roi or Roi.whole(self._source.size), RowWindow(self._source)
        step = max(1, MAP_PIXELS // region.width)
        for top in range(region.rows.start, region.rows.stop, step):
            rows = range(top, min(top + step, region.rows.stop))
            yield self._band(rows, completed(assembly.enlarged(rows)), window)
            window.drop(rows.stop)


def bands(plan: TilePlan) -> tuple[TilePlan, ...]:
    """The plan in bands of at least BAND_TILES tiles; first its thumbnail, if it has one."""
    step = -(-BAND_TILES // plan.columns)
    found = [plan.of_band(range(first, min(first + step, plan.rows))) for first in range(0, plan.rows, step)]
    return (*([] if plan.thumbnail is None else [plan.of_thumbnail()]), *found)
