"""A tiled model: what is served, trained and evaluated."""

from collections.abc import Iterator, Sequence
from copy import copy
from dataclasses import dataclass
from math import ceil

import torch
from torch import Tensor

from app.detectors import Detector, Features, WithThumbnail
from app.errors import InvalidDataset, InvalidTiling
from app.pipeline.device import BATCH_TILES
from app.pipeline.execution import Execution
from app.pipeline.preprocessing import Preprocessing
from app.pipeline.roi import Roi, view
from app.pipeline.stages import Stage, StageClock
from app.pipeline.thumbnail import reduced
from app.pipeline.transfer import Uploader
from app.runtime import Eager, Network
from app.scoring import Calibration
from app.tiling import STRIP_PIXELS, Size, TilePlan, Tiling, plan, tile, zero_padding
from app.zones import Zones


@dataclass(frozen=True, slots=True)
class Prepared:
    """A picture, a band of its rows, or a block of it, on the device, with the tiles to compute.

    pixels: [C,h,w]; for a plan of the thumbnail alone, the thumbnail's pixels
    white: the value of white
    image_size: the picture's size before it was resized
    roi: the region that is computed; None: the whole picture
    first_row: the row of the resized picture with which `pixels` begin; None: `pixels` have all rows
    first_column: likewise
    """

    pixels: Tensor
    white: float
    plan: TilePlan
    image_size: Size
    roi: Roi | None = None
    first_row: int | None = None
    first_column: int | None = None


class TiledModel:
    """A detector with the preprocessing, tiling and calibration that belong to it, on a device.

    `prepare` runs once per picture or band, `run` once per batch of tiles of one or several pictures; `Assembly` makes
    the map of the features.
    Raises InvalidTiling if tiles do not lie on the detector's feature grid, or only one of detector and tiling has
    thumbnails (see `with_thumbnail`), and InvalidDataset if the detector needs pictures of one size and the
    preprocessing does not give them.

    `zones` are areas that do not count, or have thresholds of their own; None: there are none.
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
        self.zones: Zones | None = None

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

    def with_zones(self, zones: Zones | None) -> "TiledModel":
        """The same model with these zones. Everything else is shared."""
        model = copy(self)
        model.zones = zones
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
        """`(height, width)` of the network's input, halo included; None if that depends on the picture.

        With the mode `within`, pictures of any size that are smaller than this have smaller tiles.
        """
        if self.preprocessing.image_size is not None:
            return self.plan(*self.preprocessing.image_size).input_size
        if not self.tiling.enable:
            return None
        height, width = self.tiling.tile_size
        return height + 2 * self.tiling.halo, width + 2 * self.tiling.halo

    @property
    def grid(self) -> int:
        """The number of pixels at whose multiples tiles that are moved inward begin; see `Tiling.grid`."""
        return self.tiling.grid(self.detector.stride, self.detector.tile_multiple)

    def plan(self, height: int, width: int, roi: Roi | None = None) -> TilePlan:
        """The tiles of a picture of this size (before it is resized), or those that a region of it needs.

        Raises InvalidRegion if the region does not lie within the picture.
        """
        size = self.preprocessing.target_size(height, width)
        whole = plan(self.tiling, *size, self.grid, STRIP_PIXELS)
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
            if own:
                tile(prepared.pixels, plan, own, in_grid, prepared.first_row, prepared.first_column)
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
