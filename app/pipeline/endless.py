"""Predicts a picture whose rows arrive without a known end: each row of the map as soon as no later row changes it."""

from dataclasses import dataclass

from torch import Tensor

from app.errors import NotStreamable
from app.pipeline.arriving import ArrivingRows, Samples
from app.pipeline.bands import Band, BandOutcome
from app.pipeline.carried import Carried, renumbered
from app.pipeline.model import TiledModel
from app.pipeline.rows import RowWindow
from app.pipeline.scan import BAND_TILES
from app.scoring import cells_of_map, pixels_of_cells
from app.tiling import (
    STRIP_PIXELS,
    TilePlan,
    TilingMode,
    endless_plan,
    rows_shown,
    rows_to_settle,
    settled_rows,
)


@dataclass(frozen=True, slots=True)
class Geometry:
    """How the rows of a stream become rows of the map.

    plan: the endless plan
    most: the largest number of rows of tiles in a band
    first: the first row of tiles that does not depend on the top of the picture: it and all later ones are alike
    latency: a row of the map, and the row after it, can be computed when this many rows have arrived after it
    buffer: the largest number of rows that wait; of so many, a band can always be computed
    """

    plan: TilePlan
    most: int
    first: int
    latency: int
    buffer: int


def geometry(model: TiledModel, width: int) -> Geometry:
    """The geometry of a stream of rows with `width` pixels. Raises NotStreamable for a model that needs the height."""
    _require_streamable(model)
    grid = model.detector.stride
    plan = endless_plan(model.tiling, width, grid, STRIP_PIXELS)
    y, reach, most = plan.y, _reach(model, plan), -(-BAND_TILES // plan.columns)
    first = -(-(y.tile + y.halo + 2 * reach) // y.step) + 1
    start, known = y.start(first), []
    for stride in model.detector.map_strides:
        rows, scale = range(start - reach, start + 1), y.cells_per_pixel(stride)
        cells, rule = y.all_cells(stride), model.detector.map_rule
        known.append(pixels_of_cells(rows, y.length, cells, scale, rule, start // stride))
    latency = rows_to_settle(y, first + 1, grid) - min(known)
    return Geometry(plan, most, first, latency, rows_to_settle(y, most, grid))


def _reach(model: TiledModel, plan: TilePlan) -> int:
    """How far the rows of the map that depend on a cell lie from it at most, in pixels."""
    y, rule = plan.y, model.detector.map_rule
    middle, found = y.start(plan.rows // 2), 0
    for stride in model.detector.map_strides:
        rows, scale = range(middle, middle + stride), y.cells_per_pixel(stride)
        cells = cells_of_map(rows, y.length, y.all_cells(stride), scale, rule)
        found = max(found, middle - cells.start * stride, cells.stop * stride - middle)
    return found


def _require_streamable(model: TiledModel) -> None:
    """Raises NotStreamable unless each tile, and its part of the map, is the same in pictures of any height."""
    size, tiling, rule = model.preprocessing.image_size, model.tiling, model.detector.map_rule
    reason = None
    if size is not None:
        reason = f"resizes pictures to {size[1]} x {size[0]} pixels"
    elif not tiling.enable:
        reason = "is not tiled: the whole picture is one tile"
    elif tiling.thumbnail:
        reason = "needs a thumbnail of the whole picture"
    elif tiling.mode is TilingMode.interpolation:
        reason = "stretches pictures to a whole number of tiles (mode interpolation)"
    elif tiling.mode is TilingMode.within:
        reason = "keeps the halos of tiles within the picture (mode within), whose last row is not known"
    elif rule.upsampling == "aligned":
        reason = f"enlarges its map by the picture's height ({model.detector.name})"
    unplaced = None if model.zones is None else model.zones.needing_height
    if unplaced is not None:
        raise NotStreamable(
            f"the model's zone {unplaced.name!r} is not a rectangle from the top of the picture to its bottom, and a "
            "stream of rows has no height to place it by; use a version without such zones"
        )
    if reason is not None:
        raise NotStreamable(
            f"the model {reason}, and a stream of rows has no height; train one with tiles, without image_size and "
            "thumbnail, with the mode padding or cover, such as Patchcore, Subspace or Stfpm"
        )


@dataclass(frozen=True, slots=True)
class MapRows:
    """Consecutive rows of the map: [n,W] float32 on the CPU, not normalised; `top` is the number of the first."""

    top: int
    values: Tensor


class EndlessScan:
    """The prediction of rows that arrive one after the other, band by band.

    `begin_band` cuts the next band, and `end_band` takes its outcome. Rows may be
    added by another thread meanwhile; `end` is called after all rows were added. After it, the remaining rows of tiles
    are those of the picture's real height, so that all rows of the map equal those of the whole picture.

    Memory holds the rows that later tiles show, and those that wait. No number grows but those of whole rows: the
    rows of tiles of an endless plan are counted anew after each band.

    rows: the rows that arrive
    geometry: see Geometry
    is_ended: whether `end` was called
    """

    def __init__(self, model: TiledModel, width: int, white: float) -> None:
        self.geometry = geometry(model, width)
        self.rows = ArrivingRows(width, white)
        self._model, self._plan, self._window = model, self.geometry.plan, RowWindow(self.rows)
        self._next = 0  # the number of the next row of tiles in `_plan`
        self._moved = 0  # rows of pixels before the first row of `_plan`
        self._carried: Carried | None = None
        self.is_ended = False

    @property
    def complete_rows(self) -> int:
        """The number of rows of the map that were computed."""
        return 0 if self._carried is None else self._moved + self._carried.next_row

    @property
    def is_full(self) -> bool:
        """Whether as many rows wait as may wait; the next band can be computed then."""
        return self.rows.waiting >= self.geometry.buffer

    @property
    def is_done(self) -> bool:
        """Whether the end is known, and all rows of tiles were computed."""
        return self.is_ended and (not self.rows.arrived or self._next == self._plan.rows)

    @property
    def is_ready(self) -> bool:
        """Whether `begin_band` returns a band."""
        return bool(self._ready())

    def add(self, rows: Samples) -> None:
        """Adds the next rows, [n,W,C] uint8 or uint16 with C = 1 or 3."""
        self.rows.add(rows)

    def end(self) -> None:
        """Declares that no more rows will be added. No band may be in work."""
        self.is_ended = True
        height, width = self.rows.arrived, self._plan.x.length
        if not height:
            return
        self._next += self._moved // self._plan.y.step
        self._renumber(self._moved)
        step, plan = self._plan.y.step, self._model.plan(height, width)
        if self._next and (self._next == plan.rows or plan.y.start(self._next) != self._next * step):
            self._next -= 1  # its tiles are the last, or the moved last tile overlaps them: they are computed again
        self._moved, self._plan = 0, plan

    def begin_band(self) -> Band | None:
        """The next rows of tiles that can be computed; None: more rows must arrive first, or all were computed."""
        ready = self._ready()
        if not ready:
            return None
        band = self._plan.of_band(range(self._next, self._next + ready))
        shown = rows_shown(band)
        pixels = self._window.rows(range(shown.start + self._moved, shown.stop + self._moved))
        self._next += ready
        return Band(pixels, self.rows.white, band, band.image_size, None, shown.start, self._carried, scored=False)

    def end_band(self, outcome: BandOutcome) -> MapRows:
        """Takes the rows of the map that the last band completed, and drops the rows that no later tile shows."""
        self._carried = outcome.carried
        found = MapRows(self._moved + outcome.top, outcome.values)
        if not self.is_ended:
            y = self._plan.y
            last = y.tile  # of these, the last row of tiles may be computed again, or show some mirrored
            self._window.drop(self._moved + y.start(self._next) - y.halo - last)
            self._count_anew()
        return found

    def _ready(self) -> int:
        """The number of rows of tiles in the next band."""
        if self.is_done:
            return 0
        plan, most = self._plan, self.geometry.most
        if self.is_ended:
            return min(most, plan.rows - self._next)
        known = self.rows.arrived - self._moved
        return min(most, max(settled_rows(plan.y, known, self._model.detector.stride) - self._next, 0))

    def _count_anew(self) -> None:
        """Gives the next row of tiles the number `first`, if its number is higher."""
        later = (self._next - self.geometry.first) * self._plan.y.step
        if later > 0:
            self._next, self._moved = self.geometry.first, self._moved + later
            self._renumber(-later)

    def _renumber(self, rows: int) -> None:
        if self._carried is not None:
            self._carried = renumbered(self._carried, rows, self._model.detector.map_strides)
