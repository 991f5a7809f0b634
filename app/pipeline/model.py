"""A tiled model: what is served, trained and evaluated."""

from collections.abc import Generator, Iterable, Iterator, Sequence
from copy import copy
from dataclasses import dataclass
from math import ceil

import torch
from torch import Tensor

from app.detectors import Detector, Features, WithThumbnail
from app.errors import InvalidDataset, InvalidTiling
from app.pipeline.device import BATCH_TILES
from app.pipeline.execution import Execution
from app.pipeline.finite import checksum, require_finite
from app.pipeline.parts import Part, PartMaker
from app.pipeline.preprocessing import Preprocessing
from app.pipeline.roi import Roi, View, view
from app.pipeline.stages import Stage, StageClock
from app.pipeline.thumbnail import ThumbnailSplitter, counted_in_thumbnail, reduced, thumbnail_grid
from app.pipeline.transfer import Uploader, download
from app.runtime import Eager, Network
from app.scoring import Calibration, Extent, Grid, fill_map, fill_resized
from app.tiling import STRIP_PIXELS, Size, TilePlan, Tiling, plan, tile, zero_padding


@dataclass(frozen=True, slots=True)
class Prepared:
    """A picture on the device: its pixels [C,h,w], the value of white, and the tiles to compute."""

    pixels: Tensor
    white: float
    plan: TilePlan
    image_size: Size  # before resizing
    roi: Roi | None = None  # None: the whole picture


@dataclass(frozen=True, slots=True)
class Outcome:
    """Raw score and anomaly map of a picture or region; the map is [H,W] float32 on the CPU, not normalised."""

    raw_score: float
    anomaly_map: Tensor


class TiledModel:
    """A detector with the preprocessing, tiling and calibration that belong to it, on a device.

    `prepare` and `finish` run once per picture, `run` once per batch of tiles of one or several pictures.
    Raises InvalidTiling if tiles do not lie on the detector's feature grid, or only one of detector and tiling has
    thumbnails (see `with_thumbnail`), and InvalidDataset if the detector needs pictures of one size and the
    preprocessing does not give them.

    `execution` says how the network is run; by default by the detector's own modules. `stages` sums up the time of each
    stage if `time_stages` is true.
    """

    def __init__(
        self,
        detector: Detector,
        preprocessing: Preprocessing,
        tiling: Tiling,
        calibration: Calibration | None = None,
        device: torch.device | str = "cpu",
        *,
        execution: Execution | None = None,
        time_stages: bool = False,
    ) -> None:
        tiling.require_multiples(detector.stride, detector.tile_multiple)
        if tiling.thumbnail != isinstance(detector, WithThumbnail):
            raise InvalidTiling(
                f"thumbnail is {str(tiling.thumbnail).lower()} in the tiling, and the detector {detector.name} "
                f"{'measures no' if tiling.thumbnail else 'needs'} thumbnails"
            )
        if detector.image_size_is_fixed and preprocessing.image_size is None:
            raise InvalidDataset(f"{detector.name} needs pictures of one size; give an image_size")
        self.device = torch.device(device)
        self.detector = detector.to(self.device).eval()
        self.execution = execution or Execution(Eager(detector), BATCH_TILES[self.device.type])
        self.stages = StageClock(self.device, time_stages)
        self.uploader = Uploader(self.device, self.stages)
        self.preprocessing, self.tiling, self.calibration = preprocessing, tiling, calibration

    def with_execution(self, execution: Execution) -> "TiledModel":
        """The same model with this execution. Everything else is shared."""
        model = copy(self)
        model.execution = execution
        return model

    def with_detector(self, detector: Detector) -> "TiledModel":
        """The same model with this detector, whose network and device are those of the model's detector."""
        model = copy(self)
        model.detector = detector
        return model

    def with_calibration(self, calibration: Calibration) -> "TiledModel":
        """The same model with this calibration. Everything else is shared."""
        model = copy(self)
        model.calibration = calibration
        return model

    @property
    def network(self) -> Network:
        """What executes the detector's network."""
        return self.execution.network

    @property
    def batch_tiles(self) -> int:
        """The largest number of tiles in one batch."""
        return self.execution.batch_tiles

    @property
    def tile_size(self) -> Size | None:
        """`(height, width)` of the network's input, halo included; None if that depends on the picture."""
        if not self.tiling.enable:
            return self.preprocessing.image_size
        height, width = self.tiling.tile_size
        return height + 2 * self.tiling.halo, width + 2 * self.tiling.halo

    def plan(self, height: int, width: int, roi: Roi | None = None) -> TilePlan:
        """The tiles of a picture of this size (before it is resized), or those that a region of it needs.

        Raises InvalidRegion if the region does not lie within the picture.
        """
        size = self.preprocessing.target_size(height, width)
        whole = plan(self.tiling, *size, self.detector.stride, STRIP_PIXELS)
        if roi is None:
            return whole
        roi.require_within(height, width)
        return view(roi, (height, width), size).part(whole, self.detector.map_strides, self.detector.map_rule)

    @torch.no_grad()  # not inference_mode, because training uses these tensors, too
    def prepare(self, image: Tensor, roi: Roi | None = None, tiles: TilePlan | None = None) -> Prepared:
        """[C,H,W] uint8 or uint16, C = 1 or 3 -> the picture on the device at the size at which it is tiled.

        With a region of interest, only its tiles are planned; raises InvalidRegion, see `plan`. `tiles` is the result
        of `plan` for the picture, if `plan` was called already.
        """
        white = float(torch.iinfo(image.dtype).max)
        uploaded = self.uploader.upload(image)
        with self.stages.timed(Stage.upload):
            pixels = self.preprocessing.resize(uploaded)
        height, width = image.shape[-2:]
        return Prepared(pixels, white, tiles or self.plan(height, width, roi), (height, width), roi)

    @torch.no_grad()
    def cut(self, prepared: Prepared, indices: Sequence[int], out: Tensor | None = None) -> Tensor:
        """Normalised tiles [n,3,h,w] float32 with these indices, in rising order, in `out` if given.

        Pixels outside the picture are 0, or as the tiling's `padding_fill` says.
        """
        size = len(indices), 3, *prepared.plan.input_size
        plan, thumbnail = prepared.plan, prepared.plan.thumbnail
        own = [index for index in indices if index < plan.in_grid]
        with self.stages.timed(Stage.cut):
            tiles = torch.empty(size, device=self.device) if out is None else out
            in_grid, last = tiles[: len(own)], tiles[len(own) :]
            tile(prepared.pixels, plan, own, in_grid)
            if thumbnail is not None and len(last):
                tile(reduced(prepared.pixels, thumbnail.image_size), thumbnail, [0], last)
            self.preprocessing.normalise(tiles, prepared.white)
            zero_padding(in_grid, plan, own)
            if thumbnail is not None and len(last):
                zero_padding(last, thumbnail, [0])
            return tiles

    @torch.inference_mode()
    def run(self, tiles: Tensor) -> Features:
        """Normalised tiles of any pictures, [n,3,h,w] -> features, [n,C,ceil(h/stride),ceil(w/stride)] each.

        Raises InvalidTiling for a detector whose features have other sizes.
        """
        with self.stages.timed(Stage.network):
            features = self.detector.assemble(self.network(tiles))
        for feature, stride in zip(features, self.detector.feature_strides, strict=True):
            expected = tuple(ceil(edge / stride) for edge in tiles.shape[-2:])
            if feature.shape[-2:] != expected:
                raise InvalidTiling(
                    f"{self.detector.name} makes {tuple(feature.shape[-2:])} cells of tiles of "
                    f"{tuple(tiles.shape[-2:])} pixels, and its stride of {stride} gives {expected}"
                )
        return features

    def outputs(self, prepared: Prepared, batch_tiles: int = 0) -> Iterator[Features]:
        """The features of all tiles of a picture, in order, at most `batch_tiles` at a time (0: the model's own)."""
        batch_tiles = batch_tiles or self.batch_tiles
        for first in range(0, prepared.plan.count, batch_tiles):
            yield self.run(self.cut(prepared, range(first, min(first + batch_tiles, prepared.plan.count))))

    def finish(self, outputs: Iterable[Features], prepared: Prepared) -> Outcome:
        """The outcome from the features of all tiles, in order. Consumes the features one batch at a time."""
        assembly = Assembly(self, prepared)
        for features in outputs:
            for _ in assembly.add(features):
                pass
        return completed(assembly.finish())


class Assembly:
    """Turns the features of a picture into its score and map; holds the distances of its cells.

    Both methods are generators whose steps have bounded length, so that the lane can do other work between them.
    Exhaust the generator of `add` before the next call.
    """

    def __init__(self, model: TiledModel, prepared: Prepared) -> None:
        self._detector, self._plan, self._prepared = model.detector, prepared.plan, prepared
        self._stages = model.stages
        self._view = _viewed(prepared)
        cells, whole_rows = self._detector.step_cells(model.device), self._detector.needs_whole_rows
        self._parts = PartMaker(self._plan, self._detector.feature_strides, cells, whole_rows)
        self._splitter = ThumbnailSplitter(self._plan, self._detector.feature_strides)
        self._thumbnail: Tensor | None = None  # the distances [h,w] of the thumbnail's cells, once it was added
        self.score_inputs: list[Features] = []  # see Detector.image_score
        self.distances = tuple(  # of the cells that were added, [H/stride,W/stride] for each of the map's layers
            torch.empty(self._plan.y.cells(stride), self._plan.x.cells(stride), device=model.device)
            for stride in self._detector.map_strides
        )

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
        counted = None if self._prepared.roi is None else counted_in_thumbnail(features, self._plan, self._view)
        measurement = self._detector.measure_thumbnail(features, counted)
        self._thumbnail = measurement.distances[0][0]
        self.score_inputs.append(measurement.score_input)

    def _measure(self, part: Part) -> None:
        """Writes the part's distances to their places."""
        measurement = self._detector.measure(part.features, part.places, self._counted(part))
        self.score_inputs.append(measurement.score_input)
        layers = zip(self.distances, measurement.distances, self._detector.map_strides, strict=True)
        for whole, distances, stride in layers:
            for (top, left), each in zip(part.places, distances, strict=True):
                y, x = (top - self._plan.y.origin) // stride, (left - self._plan.x.origin) // stride
                whole[y : y + each.shape[0], x : x + each.shape[1]] = each

    @torch.inference_mode()
    def finish(self) -> Generator[None, None, Outcome]:
        """Makes the map and the score, after all tiles were added.

        Raises NotFinite if a distance, the map or the score is NaN or infinite. No detector hides such features: each
        distance depends on all channels of its cell, by operations that keep NaN and infinity.
        """
        found, score = yield from self._stages.steps(Stage.map, self._scored_map())
        layers = self.distances if self._thumbnail is None else (*self.distances, self._thumbnail)
        with self._stages.timed(Stage.map):
            total = checksum((*layers, found, score))
        host = yield from self._stages.steps(Stage.download, download(found))
        require_finite(total)  # on a GPU the sum and the score are complete before the copy of the map
        return Outcome(float(score), host)

    def _scored_map(self) -> Generator[None, None, tuple[Tensor, Tensor]]:
        """The map at the picture's size, and the score, both on the device."""
        detector, plan = self._detector, self._plan
        strides = zip(self.distances, detector.map_strides, strict=True)
        grids = [_grid(distances, plan, stride) for distances, stride in strides]
        if self._thumbnail is not None:
            grids.append(thumbnail_grid(self._thumbnail, plan, detector.feature_strides[0]))
        found = torch.empty(self._view.size, device=self.distances[0].device)
        shown = Extent(plan.image_size, self._view.first)
        yield from fill_map(found, grids, detector.map_rule, shown)
        score = detector.image_score(found, self.score_inputs)
        yield
        if self._prepared.image_size != plan.image_size:
            roi = _region(self._prepared)
            resized = torch.empty(roi.height, roi.width, device=found.device)
            yield from fill_resized(resized, found, Extent(self._prepared.image_size, (roi.top, roi.left)), shown)
            found = resized
        return found, score

    def _counted(self, part: Part) -> Tensor | None:
        """The cells of a part that count for the score of a region: those inside it; None: all."""
        if self._prepared.roi is None:
            return None
        (stride, *_), feature = self._detector.feature_strides, part.features[0]
        rows, columns = self._view.cells(self._plan, stride)
        counted = torch.zeros(len(feature), *feature.shape[-2:], dtype=torch.bool, device=feature.device)
        for (top, left), each in zip(part.places, counted, strict=True):
            y, x = top // stride, left // stride
            each[_within(rows, y), _within(columns, x)] = True
        return counted


def _region(prepared: Prepared) -> Roi:
    return prepared.roi or Roi.whole(prepared.image_size)


def _viewed(prepared: Prepared) -> View:
    return view(_region(prepared), prepared.image_size, prepared.plan.image_size)


def _within(cells: range, first: int) -> slice:
    """The slice of these cells among the cells from number `first` on."""
    return slice(max(cells.start - first, 0), max(cells.stop - first, 0))


def _grid(distances: Tensor, plan: TilePlan, stride: int) -> Grid:
    scale = plan.y.cells_per_pixel(stride), plan.x.cells_per_pixel(stride)
    whole = plan.y.all_cells(stride), plan.x.all_cells(stride)
    return Grid(distances, scale, Extent(whole, (plan.y.origin // stride, plan.x.origin // stride)))


def completed(steps: Generator[None, None, Outcome]) -> Outcome:
    """Runs all steps, and returns the outcome."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            outcome: Outcome = end.value
            return outcome


def predict(model: TiledModel, image: Tensor, batch_tiles: int = 0, roi: Roi | None = None) -> Outcome:
    """The outcome of a picture [C,H,W], or of a region of it, without a queue; `batch_tiles` 0: the model's own."""
    prepared = model.prepare(image, roi)
    return model.finish(model.outputs(prepared, batch_tiles), prepared)
