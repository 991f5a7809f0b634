"""Predicts a picture in bands of rows, while it is read: memory does not grow with the picture's height."""

from collections import deque
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from app.pipeline.assembly import Assembly, completed
from app.pipeline.bands import Band, BandOutcome
from app.pipeline.carried import Carried, Checkpoint
from app.pipeline.division import AHEAD_PIXELS, BlockRow, Division, block_rows
from app.pipeline.joining import BlockPixels
from app.pipeline.model import Prepared, TiledModel
from app.pipeline.resizing import resized
from app.pipeline.roi import Roi
from app.pipeline.rows import RowSource, RowWindow, TensorRows
from app.tiling import TilePlan

BAND_TILES = 64
"""The smallest number of tiles in a band, if the picture has so many: batches of the network are full."""

MAP_PIXELS = 2**22
"""The number of pixels of the map of a resized picture that are made at once, but at least one row."""

Run = Callable[[Band], Callable[[], BandOutcome]]
"""Begins to run a band of a picture. The result waits for its outcome, and is called before the next band begins."""


@dataclass(frozen=True, slots=True)
class Runner:
    """What computes the bands of a picture.

    run: runs them, one after the other
    division: measures the blocks of the bands; None: `run` computes all tiles
    """

    run: Run
    division: Division | None = None


@dataclass(frozen=True, slots=True)
class MapBand:
    """Consecutive rows of a picture and of its anomaly map, or of the region of interest of both.

    top: the number of the first of these rows, counted from the first row of the picture or region
    values: [n,w] float32 on the CPU, not normalised
    pixels: [C,n,w] uint8 or uint16
    checkpoint: from where the prediction goes on after these rows; None: its last band has run
    """

    top: int
    values: Tensor
    pixels: Tensor
    checkpoint: Checkpoint | None = None


class Scan:
    """The prediction of one picture in bands. A detector with thumbnails, or one that resizes, reads the source twice.

    With a `division`, a band is a row of blocks that the division measures, several bands at a time.

    bands: the plans of the bands' tiles, in order. The first may be that of the thumbnail.
    """

    def __init__(
        self, model: TiledModel, source: RowSource, roi: Roi | None = None, division: Division | None = None
    ) -> None:
        self._model, self._source, self._roi, self._division = model, source, roi, division
        self.plan = model.plan(*source.size, roi)
        if division is None:
            self._rows = tuple(map(BlockRow, bands(self.plan)))
        else:
            self._rows = block_rows(model, self.plan, source.size, roi, division.room)
        self.bands = tuple(row.plan for row in self._rows)
        self._shown = [row.shown for row in self._rows]

    def goes_on_from(self, checkpoint: Checkpoint) -> bool:
        """Whether a checkpoint of the same picture is between two bands of this scan."""
        return (checkpoint.bands, checkpoint.divided) == (len(self.bands), self._division is not None)

    def run(self, run: Run, begin: Checkpoint | None = None) -> Generator[MapBand, None, float]:
        """Yields the bands of the map from top to bottom, and returns the raw score. Raises the errors of `run`.

        `begin`: the checkpoint of a band that was yielded before; its rows and those before it are not yielded again.
        The rows of the next band are read while `run` works.
        """
        source = self._tiled_source()
        start, carried = (0, None) if begin is None else (begin.band, begin.carried)
        window = RowWindow(source, self._first_needed(start, carried))
        outcome: BandOutcome | None = None
        begun = self._begun(source, window, start)
        band = next(begun)
        for number in range(start, len(self.bands)):
            wait = run(replace(band, carried=carried))
            if outcome is not None and len(outcome.values):
                yield self._band(outcome.top, outcome.values, window, (number, outcome.carried))
                window.drop(self._first_needed(number, outcome.carried))
            if number + 1 < len(self.bands):
                band = next(begun)
            outcome = wait()
            carried = outcome.carried
        assert outcome is not None and outcome.raw_score is not None
        if len(outcome.values):
            yield self._band(outcome.top, outcome.values, window)
        if self.plan.image_size != self._source.size:
            yield from self._enlarged(outcome.carried)
        return outcome.raw_score

    def _tiled_source(self) -> RowSource:
        """The picture at the size at which it is tiled."""
        if self.plan.image_size == self._source.size:
            return self._source
        small = resized(self._source, self.plan.image_size, antialias=self._model.preprocessing.antialias)
        self._source.restart()
        return TensorRows(small, self._source.white)

    def _first_needed(self, band: int, carried: Carried | None) -> int:
        """The first row of pixels that this band or a later one, or the rows of the map that follow, need."""
        needed = [rows.start for rows in self._shown[band:] if rows]
        return min(needed if carried is None else [carried.next_row, *needed])

    def _begun(self, source: RowSource, window: RowWindow, number: int) -> Iterator[Band]:
        """The bands from this number on, without what they carry: each with its pixels, or with its measured blocks."""
        ahead = deque[tuple[int, Callable[[], Band]]]()
        while number < len(self.bands) or ahead:
            while number < len(self.bands) and (not ahead or self._may_begin(sum(pixels for pixels, _ in ahead))):
                ahead.append((len(self._shown[number]) * source.size[1], self._begin(source, window, number)))
                number += 1
            yield ahead.popleft()[1]()

    def _may_begin(self, pixels: int) -> bool:
        """Whether another band may begin while others, with so many pixels, wait to be joined."""
        return self._division is not None and pixels < AHEAD_PIXELS

    def _begin(self, source: RowSource, window: RowWindow, number: int) -> Callable[[], Band]:
        """Reads a band, and begins to measure its blocks; the result waits for them."""
        row, first = self._rows[number], self._shown[number].start
        if row.plan.thumbnail is not None:
            pixels = resized(source, row.plan.thumbnail.image_size)
            source.restart()
        else:
            pixels = window.rows(self._shown[number])
        band = Band(pixels, source.white, row.plan, self._source.size, self._roi, first)
        if self._division is None or not row.blocks:
            return lambda: band
        waits = [self._division.begin(BlockPixels.of(pixels, block, source.white, first)) for block in row.blocks]
        joined = replace(band, pixels=torch.empty(0))
        return lambda: replace(joined, blocks=[wait() for wait in waits])

    def _band(self, first: int, values: Tensor, window: RowWindow, then: tuple[int, Carried] | None = None) -> MapBand:
        """Rows of the map from `first` on; `then` has the number of the next band, and what it needs."""
        region = self._roi or Roi.whole(self._source.size)
        rows, top = range(first, first + len(values)), first - region.top
        pixels = window.rows(rows)[:, :, region.left : region.left + region.width]
        division = len(self.bands), self._division is not None
        checkpoint = None if then is None else Checkpoint(then[0], *division, top + len(rows), then[1])
        return MapBand(top, values, pixels, checkpoint)

    def _enlarged(self, carried: Carried) -> Generator[MapBand, None, None]:
        """The map of a resized picture, at the picture's size."""
        region, window = self._roi or Roi.whole(self._source.size), RowWindow(self._source)
        no_pixels = Prepared(torch.empty(0), self._source.white, self.bands[-1], self._source.size, self._roi, 0)
        assembly = Assembly(self._model, no_pixels, carried)
        step = max(1, MAP_PIXELS // region.width)
        for top in range(region.rows.start, region.rows.stop, step):
            rows = range(top, min(top + step, region.rows.stop))
            yield self._band(top, completed(assembly.enlarged(rows)), window)
            window.drop(rows.stop)


def bands(plan: TilePlan) -> tuple[TilePlan, ...]:
    """The plan in bands of at least BAND_TILES tiles; first its thumbnail, if it has one."""
    step = -(-BAND_TILES // plan.columns)
    found = [plan.of_band(range(first, min(first + step, plan.rows))) for first in range(0, plan.rows, step)]
    return (*([] if plan.thumbnail is None else [plan.of_thumbnail()]), *found)
