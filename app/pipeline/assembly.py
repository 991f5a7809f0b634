"""Turns the features of a picture's tiles into its map and its score, at once or band by band."""

from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from app.detectors import Features, WithThumbnail
from app.pipeline.blocks import Coverage
from app.pipeline.carried import Carried, moved
from app.pipeline.finite import checksum, require_finite
from app.pipeline.model import Prepared, TiledModel
from app.pipeline.parts import Part, PartMaker
from app.pipeline.roi import Roi, View, view
from app.pipeline.stages import Stage
from app.pipeline.thumbnail import ThumbnailSplitter, counted_in_thumbnail, thumbnail_scale
from app.pipeline.transfer import download
from app.pipeline.zoning import Zoning
from app.row_memory import apart
from app.scoring import Extent, Grid, cells_of_map, fill_map, fill_resized, pixels_of_cells
from app.tiling import Kept, TilePlan

R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Outcome:
    """Raw score and anomaly map of a picture or region; the map is [H,W] float32 on the CPU, not normalised.

    coverage: how much of it was looked at; None: all, because nothing else was asked for
    """

    raw_score: float
    anomaly_map: Tensor
    coverage: Coverage | None = None


class Assembly:
    """Turns the features of a picture into its score and map. Holds the distances of cells that the map still needs.

    A picture that fits into memory is assembled at once: `add` all tiles, then `finish`. A larger one is assembled in
    bands of rows of tiles, each by an Assembly of its own: `add` the tiles of the band, `end` it, and give what was
    `carried` to the next one; after the last, ask for the `score`. If the detector measures thumbnails, the first
    "band" is the thumbnail (`TilePlan.of_thumbnail`), which has no end.

    Generators have steps of bounded length, so that the lane can do other work between them. Exhaust the generator of
    `add` before the next call.
    """

    def __init__(
        self, model: TiledModel, prepared: Prepared, carried: Carried | None = None, *, scored: bool = True
    ) -> None:
        """`scored` says whether `score` will be asked for: without it, nothing is kept for the score."""
        self._detector, self._stages, self._device = model.detector, model.stages, model.device
        plan = self._plan = prepared.plan
        self._image_size, self._roi = prepared.image_size, prepared.roi or Roi.whole(prepared.image_size)
        self._restricted = prepared.roi is not None
        self._view = view(self._roi, prepared.image_size, plan.image_size)
        self._scored, self._map_score = scored, None
        self._zoning = Zoning.of(model.zones, model.calibration, plan.image_size)
        if scored:
            self._map_score = self._detector.map_score(self._values())
        before = self._first() if carried is None else moved(carried, self._device)
        self.next_row = before.next_row
        self._kept, self._tops = before.kept, before.tops
        self.score_inputs = list(before.score_inputs)
        self._thumbnail, self._thumbnail_scale = before.thumbnail, before.thumbnail_scale
        self._thumbnail_input, self._resized = before.thumbnail_input, before.resized
        if self._map_score is not None and before.map_values is not None:
            self._map_score.add(before.map_values)
        cells, whole_rows = self._detector.step_cells(self._device), self._detector.needs_whole_rows
        self._parts = PartMaker(plan, self._detector.feature_strides, cells, whole_rows, self._kept)
        self._splitter = ThumbnailSplitter(plan, self._detector.feature_strides)
        self.distances = self._room(before.distances)  # of cells of the map's layers [h,w], the rows from `_tops` on

    def _values(self) -> int:
        """The number of values of the map that count for the score."""
        if self._zoning is not None:
            return self._zoning.counted(self._view)
        return self._view.size[0] * self._view.size[1]

    def _first(self) -> Carried:
        """What the first band begins with."""
        kept: tuple[Kept, ...] = tuple({} for _ in self._detector.feature_strides)
        tops = (0,) * len(self._detector.map_strides)
        return Carried(self._view.rows.start, kept, (), tops, [], None, None, (1.0, 1.0), None, None)

    def _room(self, known: Features) -> Features:
        """Room for the distances of all cells of this band, after those that are known."""
        found: Features = ()
        for layer, (stride, top) in enumerate(zip(self._detector.map_strides, self._tops, strict=True)):
            rows = torch.empty(_known_cells(self._plan, stride) - top, self._plan.x.cells(stride), device=self._device)
            if known:
                rows[: len(known[layer])] = known[layer]
            found = (*found, rows)
        return found

    def carried(self) -> Carried:
        """What the next band needs, after the `end` of this one."""
        values = None if self._map_score is None else self._map_score.kept()
        return moved(
            Carried(
                self.next_row,
                self._kept,
                self.distances,
                self._tops,
                decisive(self.score_inputs),
                values,
                self._thumbnail,
                self._thumbnail_scale,
                self._thumbnail_input,
                self._resized,
            ),
            "cpu",
        )

    @property
    def inputs(self) -> list[Features]:
        """The inputs of the score of all parts so far; see Detector.score_of."""
        return self.score_inputs if self._thumbnail_input is None else [*self.score_inputs, self._thumbnail_input]

    @torch.inference_mode()
    def add(self, features: Features) -> Iterator[None]:
        """Stitches and measures the features of the next tiles, [n,C,h,w] each."""
        in_grid, thumbnail = self._splitter.split(features)
        parts = self._parts.add(in_grid)
        while True:
            with self._stages.timed(Stage.stitch):
                part = next(parts, None)
            if part is None:
                break
            with self._stages.timed(Stage.measure):
                self._measure(part)
            yield
        if thumbnail is not None:
            with self._stages.timed(Stage.measure):
                self._measure_thumbnail(thumbnail)
            yield

    def _measure_thumbnail(self, features: Features) -> None:
        assert isinstance(self._detector, WithThumbnail)
        self._thumbnail_scale = thumbnail_scale(self._plan, self._detector.feature_strides[0])
        counted = counted_in_thumbnail(features, self._plan, self._view) if self._restricted else None
        if self._zoning is not None:
            rows, columns = map(range, features[0].shape[-2:])
            weights = self._zoning.cells(rows, columns, self._thumbnail_scale, self._device)
            counted = _product(counted, None if weights is None else weights[None])
        measurement = self._detector.measure_thumbnail(features, counted)
        self._thumbnail = measurement.distances[0][0]
        self._thumbnail_input = measurement.score_input

    def _measure(self, part: Part) -> None:
        """Writes the part's distances to their places."""
        measurement = self._detector.measure(part.features, part.places, self._counted(part))
        if self._scored:
            self.score_inputs.append(measurement.score_input)
        layers = zip(self.distances, measurement.distances, self._detector.map_strides, self._tops, strict=True)
        for whole, distances, stride, first in layers:
            for (top, left), each in zip(part.places, distances, strict=True):
                y, x = (top - self._plan.y.origin) // stride - first, (left - self._plan.x.origin) // stride
                own = each[max(-y, 0) :]  # of tiles that are computed again, rows may have been dropped
                whole[max(y, 0) : max(y, 0) + len(own), x : x + each.shape[1]] = own

    @torch.inference_mode()
    def finish(self) -> Generator[None, None, Outcome]:
        """Makes the map and the score, after all tiles of the picture were added at once.

        Raises NotFinite if a distance, the map or the score is NaN or infinite. No detector hides such features: each
        distance depends on all channels of its cell, by operations that keep NaN and infinity.
        """
        found, score = yield from self._stages.steps(Stage.map, self._scored_map())
        with self._stages.timed(Stage.map):
            total = checksum((*self._layers, found, score))
        host = yield from self._stages.steps(Stage.download, download(found))
        require_finite(total)  # on a GPU the sum and the score are complete before the copy of the map
        return Outcome(float(score), host)

    @torch.inference_mode()
    def end(self) -> Generator[None, None, Tensor]:
        """Ends a band, after all its tiles were added. Returns the rows of the map that are complete.

        They are [n,w] float32 on the CPU, and follow those of the bands before; n may be 0. If the picture was resized,
        they are none: `enlarged` returns them after the last band. Raises NotFinite, see `finish`.
        """
        found = yield from self._stages.steps(Stage.map, self._rows())
        with self._stages.timed(Stage.map):
            total = checksum((*self._layers, found))
        host = yield from self._stages.steps(Stage.download, download(found[:0] if self.is_resized else found))
        require_finite(total)
        self._forget()
        return host

    @torch.inference_mode()
    def score(self) -> float:
        """The picture's raw score, after the last band. Raises NotFinite."""
        score = self._score()
        require_finite(checksum([score]))
        return float(score)

    @property
    def is_resized(self) -> bool:
        """Whether the picture was resized before it was tiled, so that its map has to be resized, too."""
        return self._image_size != self._plan.image_size

    @torch.inference_mode()
    def enlarged(self, rows: range) -> Generator[None, None, Tensor]:
        """These rows of the picture, or of its region, of the map of a resized picture, after the last band.

        [rows,w] float32 on the CPU.
        """
        found = yield from self._stages.steps(Stage.map, self._enlarged(rows))
        return (yield from self._stages.steps(Stage.download, download(found)))

    @property
    def _layers(self) -> Features:
        return self.distances if self._thumbnail is None else (*self.distances, self._thumbnail)

    def _scored_map(self) -> Generator[None, None, tuple[Tensor, Tensor]]:
        """The map at the picture's size, and the score, both on the device."""
        found = yield from self._rows()
        score = self._score()
        yield
        if self.is_resized:
            found = yield from self._enlarged(self._roi.rows)
        return found, score

    def _rows(self) -> Generator[None, None, Tensor]:
        """The next rows of the map, at the size at which the picture is tiled: all that no later band changes."""
        detector, plan, first = self._detector, self._plan, self.next_row
        layers = zip(self.distances, detector.map_strides, self._tops, strict=True)
        grids = [_grid(distances, plan, stride, top) for distances, stride, top in layers]
        if self._thumbnail is not None:
            grids.append(Grid(self._thumbnail, self._thumbnail_scale))
        self.next_row = self._complete()
        size = self.next_row - first, self._view.size[1]
        on_host = self._device.type == "cpu"
        found = torch.from_numpy(apart(size, np.float32)) if on_host else torch.empty(size, device=self._device)
        if not len(found):
            return found
        yield from fill_map(found, grids, detector.map_rule, Extent(plan.image_size, (first, self._view.first[1])))
        self._clear(found)
        if self.is_resized:
            self._resized = found if self._resized is None else torch.cat([self._resized, found])
        yield from self._judged_by_zone(found, first)
        return found

    def _clear(self, found: Tensor) -> None:
        """Changes values of the map, [n,w] from row `next_row` - n on, before they count for the score."""

    def _judged_by_zone(self, found: Tensor, first: int) -> Iterator[None]:
        """Scores rows of the map from `first` on, and applies the zones, unless the map is resized before."""
        zoning, scored = self._zoning, self._map_score
        if zoning is None:
            if scored is not None:
                scored.add(found)
            return
        for rows, lattice in zoning.steps(found, (first, self._view.first[1]), self._plan.image_size):
            if scored is not None:
                scored.add(zoning.scored(rows, lattice))
            if not self.is_resized:
                zoning.apply(rows, lattice, "pixel")
            yield

    def _complete(self) -> int:
        """The first row of the map that depends on cells of a later band."""
        y, own = self._plan.y, self._plan.own_rows
        if own.stop == self._plan.rows:
            return self._view.rows.stop
        ends = [self.next_row]
        for stride in self._detector.map_strides:
            known = y.origin // stride + _known_cells(self._plan, stride)
            rows, scale = range(self.next_row, self._view.rows.stop), y.cells_per_pixel(stride)
            ends.append(pixels_of_cells(rows, y.length, y.all_cells(stride), scale, self._detector.map_rule, known))
        return min(ends[1:], default=self.next_row)

    def _forget(self) -> None:
        """Drops the distances of cells on which no later row of the map depends."""
        y = self._plan.y
        for layer, stride in enumerate(self._detector.map_strides):
            if self.next_row == y.length:
                continue
            row = range(self.next_row, self.next_row + 1)
            scale, rule = y.cells_per_pixel(stride), self._detector.map_rule
            first = cells_of_map(row, y.length, y.all_cells(stride), scale, rule).start - y.origin // stride
            top = min(max(first, self._tops[layer]), self._tops[layer] + len(self.distances[layer]))
            kept = self.distances[layer][top - self._tops[layer] :].clone()
            self.distances = (*self.distances[:layer], kept, *self.distances[layer + 1 :])
            self._tops = (*self._tops[:layer], top, *self._tops[layer + 1 :])

    def _score(self) -> Tensor:
        score = self._detector.score_of(self._map_score, self.inputs)
        return score if self._zoning is None else self._zoning.score(score)

    def _enlarged(self, rows: range) -> Generator[None, None, Tensor]:
        assert self._resized is not None
        out = torch.empty(len(rows), self._roi.width, device=self._device)
        whole = Extent(self._image_size, (rows.start, self._roi.left))
        yield from fill_resized(out, self._resized, whole, Extent(self._plan.image_size, self._view.first))
        if self._zoning is not None:
            for part, lattice in self._zoning.steps(out, (rows.start, self._roi.left), self._image_size):
                self._zoning.apply(part, lattice, "pixel")
                yield
        return out

    def _counted(self, part: Part) -> Tensor | None:
        """By which factors the distances of a part's cells count for the score, see Detector.measure."""
        stride = self._detector.feature_strides[0]
        inside = _inside(part, self._view, self._plan, stride) if self._restricted else None
        if self._zoning is None or self._map_score is not None:  # a score of the map is made of values by zone
            return inside
        return _product(inside, self._weights(part, self._zoning, stride))

    def _weights(self, part: Part, zoning: Zoning, stride: int) -> Tensor | None:
        """The factors of a part's cells by zone, [n,h,w]; None: all are 1."""
        height, width = part.features[0].shape[-2:]
        scale = self._plan.y.cells_per_pixel(stride), self._plan.x.cells_per_pixel(stride)
        found = None
        for number, (top, left) in enumerate(part.places):
            rows, columns = (
                range(first, first + edge) for first, edge in ((top // stride, height), (left // stride, width))
            )
            own = zoning.cells(rows, columns, scale, self._device)
            if own is not None:
                if found is None:
                    found = torch.ones(len(part.places), height, width, device=self._device)
                found[number] = own
        return found


def _product(inside: Tensor | None, weights: Tensor | None) -> Tensor | None:
    """The factors of cells of which those that are not `inside` do not count."""
    if inside is None or weights is None:
        return weights if inside is None else inside
    return inside * weights


def _inside(part: Part, shown: View, plan: TilePlan, stride: int) -> Tensor:
    """The cells of a part that overlap the view, [n,h,w] bool."""
    feature = part.features[0]
    rows, columns = shown.cells(plan, stride)
    counted = torch.zeros(len(feature), *feature.shape[-2:], dtype=torch.bool, device=feature.device)
    for (top, left), each in zip(part.places, counted, strict=True):
        y, x = top // stride, left // stride
        each[_within(rows, y), _within(columns, x)] = True
    return counted


def _within(cells: range, first: int) -> slice:
    """The slice of these cells among the cells from number `first` on."""
    return slice(max(cells.start - first, 0), max(cells.stop - first, 0))


def _known_cells(plan: TilePlan, stride: int) -> int:
    """The number of rows of cells, from the plan's first on, that no tile of a later band changes."""
    y, after = plan.y, plan.own_rows.stop
    return y.cells(stride) if after == y.count else (y.start(after) - y.origin) // stride


def _grid(distances: Tensor, plan: TilePlan, stride: int, top: int) -> Grid:
    scale = plan.y.cells_per_pixel(stride), plan.x.cells_per_pixel(stride)
    whole = plan.y.all_cells(stride), plan.x.all_cells(stride)
    return Grid(distances, scale, Extent(whole, (plan.y.origin // stride + top, plan.x.origin // stride)))


def decisive(score_inputs: Sequence[Features]) -> list[Features]:
    """The first of the inputs whose distance is the largest, which gives the same score as all of them, or none."""
    inputs = [each for each in score_inputs if each]
    if len(inputs) < 2:
        return inputs
    joined = [torch.cat(values) for values in zip(*inputs, strict=True)]
    farthest = joined[0].argmax().view(1)
    return [tuple(values.index_select(0, farthest) for values in joined)]


def completed(steps: Generator[None, None, R]) -> R:
    """Runs all steps, and returns their result."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            found: R = end.value
            return found


def assembled(model: TiledModel, outputs: Iterable[Features], prepared: Prepared) -> Outcome:
    """The outcome from the features of all tiles, in order. Consumes the features one batch at a time."""
    assembly = Assembly(model, prepared)
    for features in outputs:
        for _ in assembly.add(features):
            pass
    return completed(assembly.finish())


def predict(model: TiledModel, image: Tensor, batch_tiles: int = 0, roi: Roi | None = None) -> Outcome:
    """The outcome of a picture [C,H,W], or of a region of it, without a queue; `batch_tiles` 0: the model's own."""
    prepared = model.prepare(image, roi)
    return assembled(model, model.outputs(prepared, batch_tiles), prepared)
