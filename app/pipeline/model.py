"""A tiled model: what is served, trained and evaluated."""

from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from app.detectors import Detector, Features
from app.errors import InvalidDataset
from app.pipeline.device import BATCH_TILES
from app.pipeline.parts import PartMaker
from app.pipeline.preprocessing import Preprocessing
from app.pipeline.transfer import Uploader, download
from app.runtime import Eager, Network
from app.scoring import Calibration, Grid, fill_map, fill_resized
from app.tiling import Size, TilePlan, Tiling, plan, tile, zero_padding


@dataclass(frozen=True, slots=True)
class Prepared:
    """A picture ready to be cut: its pixels on the device, [C,h,w], the value of white, and its tiles."""

    pixels: Tensor
    white: float
    plan: TilePlan
    image_size: Size  # before it was resized


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the detector says of a picture: a score and a map, [H,W] float32 on the CPU, of the picture's size, not
    normalised.
    """

    raw_score: float
    anomaly_map: Tensor


class TiledModel:
    """A detector with the preprocessing, tiling and calibration that belong to it, on a device.

    `prepare` is done per picture, `run` per batch of tiles of any pictures, `finish` per picture.
    Raises InvalidTiling if tiles do not lie on the detector's feature grid, and InvalidDataset if the detector needs
    pictures of one size and the preprocessing does not give them.

    `network` executes the detector's, at first as it is; `batch_tiles` is how many tiles it runs at once at most. Both
    may be set to what suits the device better.
    """

    def __init__(
        self,
        detector: Detector,
        preprocessing: Preprocessing,
        tiling: Tiling,
        calibration: Calibration | None = None,
        device: torch.device | str = "cpu",
    ) -> None:
        tiling.require_multiples(detector.stride, detector.tile_multiple)
        if detector.image_size_is_fixed and preprocessing.image_size is None:
            raise InvalidDataset(f"{detector.name} knows pictures of one size only; give an image_size")
        self.device = torch.device(device)
        self.batch_tiles = BATCH_TILES[self.device.type]
        self.detector = detector.to(self.device).eval()
        self.network: Network = Eager(self.detector)
        self._uploader = Uploader(self.device)
        self.preprocessing, self.tiling, self.calibration = preprocessing, tiling, calibration

    @property
    def tile_size(self) -> Size | None:
        """`(height, width)` of what the network is given, halo included; None if that depends on the picture."""
        if not self.tiling.enable:
            return self.preprocessing.image_size
        height, width = self.tiling.tile_size
        return height + 2 * self.tiling.halo, width + 2 * self.tiling.halo

    def plan(self, height: int, width: int) -> TilePlan:
        """The tiles of a picture of this size, before it is resized."""
        return plan(self.tiling, *self.preprocessing.target_size(height, width))

    @torch.no_grad()  # not inference_mode, for training takes pictures and tiles from here, too
    def prepare(self, image: Tensor) -> Prepared:
        """[C,H,W] uint8 or uint16, C = 1 or 3 -> the picture on the device at the size at which it is tiled."""
        white = float(torch.iinfo(image.dtype).max)
        pixels = self.preprocessing.resize(self._uploader.upload(image))
        height, width = image.shape[-2:]
        return Prepared(pixels, white, self.plan(height, width), (height, width))

    @torch.no_grad()
    def cut(self, prepared: Prepared, indices: Sequence[int], out: Tensor | None = None) -> Tensor:
        """Normalised tiles [n,3,h,w] float32 with these indices, in `out` if given; outside the picture they are 0."""
        size = len(indices), 3, *prepared.plan.input_size
        tiles = torch.empty(size, device=self.device) if out is None else out
        tile(prepared.pixels, prepared.plan, indices, tiles)
        self.preprocessing.normalise(tiles, prepared.white)
        return zero_padding(tiles, prepared.plan, indices)

    @torch.inference_mode()
    def run(self, tiles: Tensor) -> Features:
        """Normalised tiles of any pictures, [n,3,h,w] -> features [n,C,h/stride,w/stride], a tensor a feature."""
        return self.detector.assemble(self.network(tiles))

    def outputs(self, prepared: Prepared, batch_tiles: int = 0) -> Iterator[Features]:
        """The features of all tiles of a picture, in order, at most `batch_tiles` at a time (0: the model's own)."""
        batch_tiles = batch_tiles or self.batch_tiles
        for first in range(0, prepared.plan.count, batch_tiles):
            yield self.run(self.cut(prepared, range(first, min(first + batch_tiles, prepared.plan.count))))

    def finish(self, outputs: Iterable[Features], prepared: Prepared) -> Outcome:
        """The picture's score and map, of its tiles' features in order. Consumes them as they come."""
        assembly = Assembly(self, prepared)
        for features in outputs:
            for _ in assembly.add(features):
                pass
        return completed(assembly.finish())


class Assembly:
    """A picture on its way from features to score and map; holds the distances of its cells.

    Both methods work in steps of bounded length, so that whoever owns the device can do other work between them: an
    iterator must be exhausted before the next tiles are added.
    """

    def __init__(self, model: TiledModel, prepared: Prepared) -> None:
        self._detector, self._plan, self._image_size = model.detector, prepared.plan, prepared.image_size
        cells, whole_rows = self._detector.step_cells(model.device), self._detector.needs_whole_rows
        self._parts = PartMaker(self._plan, self._detector.feature_strides, cells, whole_rows)
        self._witnesses: list[Features] = []
        self.distances = tuple(  # of the cells that were added, [H/stride,W/stride] for each of the map's layers
            torch.empty(self._plan.y.cells(stride), self._plan.x.cells(stride), device=model.device)
            for stride in self._detector.map_strides
        )

    @torch.inference_mode()
    def add(self, features: Features) -> Iterator[None]:
        """Takes the features of the next tiles, [n,C,h,w] each."""
        for part in self._parts.add(features):
            measurement = self._detector.measure(part.features, part.places)
            self._witnesses.append(measurement.witness)
            layers = zip(self.distances, measurement.distances, self._detector.map_strides, strict=True)
            for whole, distances, stride in layers:
                for (top, left), each in zip(part.places, distances, strict=True):
                    y, x = top // stride, left // stride
                    whole[y : y + each.shape[0], x : x + each.shape[1]] = each
            yield

    @torch.inference_mode()
    def finish(self) -> Generator[None, None, Outcome]:
        """Returns the outcome, once all tiles were added."""
        detector, plan = self._detector, self._plan
        grids = []
        for distances, stride in zip(self.distances, detector.map_strides, strict=True):
            rows, columns = distances.shape
            scale = plan.y.cells_per_pixel(rows, stride), plan.x.cells_per_pixel(columns, stride)
            grids.append(Grid(distances, scale))
        found = torch.empty(plan.image_size, device=self.distances[0].device)
        yield from fill_map(found, grids, detector.map_rule)
        score = detector.image_score(found, self._witnesses)
        yield
        if self._image_size != plan.image_size:
            resized = torch.empty(self._image_size, device=found.device)
            yield from fill_resized(resized, found)
            found = resized
        host = yield from download(found)
        return Outcome(float(score), host)  # on a GPU the score was there before the map was copied


def completed(steps: Generator[None, None, Outcome]) -> Outcome:
    """What work in steps returns, once all are done."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            outcome: Outcome = end.value
            return outcome


def predict(model: TiledModel, image: Tensor, batch_tiles: int = 0) -> Outcome:
    """The outcome of a picture [C,H,W], in a straight line; `batch_tiles` 0 is the model's own."""
    prepared = model.prepare(image)
    return model.finish(model.outputs(prepared, batch_tiles), prepared)
