"""Measures the blocks of a picture, and joins those that were measured into its map and its score."""

from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass
from math import inf
from typing import Self

import torch
from torch import Tensor

from app.detectors import Features
from app.pipeline.assembly import Assembly, Outcome, decisive
from app.pipeline.blocks import Block, Coverage
from app.pipeline.carried import Carried
from app.pipeline.finite import checksum, require_finite
from app.pipeline.model import Prepared, TiledModel
from app.pipeline.roi import Roi
from app.pipeline.transfer import download
from app.tiling import TilePlan, columns_shown, rows_shown


@dataclass(frozen=True, slots=True)
class MeasuredBlock:
    """A block whose cells were measured.

    distances: of its own cells, [h,w] float32 on the CPU for each layer of the map
    score_inputs: see Detector.score_of, on the device that measured the block
    """

    block: Block
    distances: Features
    score_inputs: Sequence[Features]


@dataclass(frozen=True, slots=True)
class BlockPixels:
    """A block, and the pixels of the picture that its tiles show.

    pixels: [C,h,w] on the CPU, uint8 or uint16, or float32 if the picture was resized
    white: the value of white
    first_row, first_column: of the picture, with which `pixels` begin
    """

    block: Block
    pixels: Tensor
    white: float
    first_row: int
    first_column: int

    @classmethod
    def of(cls, rows: Tensor, block: Block, white: float | None = None, first_row: int = 0) -> Self:
        """Those of a picture, or of some of its rows [C,n,W], from `first_row` on; a view.

        white: None: the largest value of the type
        """
        down, across = rows_shown(block.plan), columns_shown(block.plan)
        pixels = rows[:, down.start - first_row : down.stop - first_row, across.start : across.stop]
        white = float(torch.iinfo(rows.dtype).max) if white is None else white
        return cls(block, pixels, white, down.start, across.start)

    def upload(self, model: TiledModel) -> Prepared:
        """The block on the model's device. Only its own cells within the region of interest count for the score."""
        plan, uploaded = self.block.plan, model.uploader.upload(self.pixels)
        counted, place = self.block.counted, (self.first_row, self.first_column)
        return Prepared(uploaded, self.white, plan, plan.image_size, counted, *place)


@torch.inference_mode()
def measured(assembly: Assembly, block: Block, strides: Sequence[int]) -> Generator[None, None, MeasuredBlock]:
    """The block, after all its tiles were added to its assembly. Raises NotFinite, see `Assembly.finish`.

    strides: of the layers of the map
    """
    top, left = block.plan.origin
    on_host = []
    for distances, stride in zip(assembly.distances, strides, strict=True):
        own = distances[_cells(block.rows, top, stride), _cells(block.columns, left, stride)].contiguous()
        total = checksum([own])
        on_host.append((yield from download(own)))
        require_finite(total)
    counted = block.counted.height and block.counted.width
    return MeasuredBlock(block, tuple(on_host), decisive(assembly.score_inputs) if counted else ())


class JoiningAssembly(Assembly):
    """An assembly of distances that were measured block by block, instead of features. Other cells have distance 0."""

    def __init__(
        self,
        model: TiledModel,
        prepared: Prepared,
        blocks: Iterable[MeasuredBlock],
        carried: Carried | None = None,
        *,
        scored: bool = True,
    ) -> None:
        """`blocks` have cells that no block of an earlier band has; see Assembly for the others."""
        super().__init__(model, prepared, carried, scored=scored)
        known = (0,) * len(self.distances) if carried is None else tuple(map(len, carried.distances))
        for layer, rows in zip(self.distances, known, strict=True):
            layer[rows:].zero_()
        for each in blocks:
            self._place(each, model)

    def _place(self, found: MeasuredBlock, model: TiledModel) -> None:
        (top, left), block = self._plan.origin, found.block
        layers = zip(self.distances, found.distances, model.detector.map_strides, self._tops, strict=True)
        for whole, own, stride, first in layers:
            rows, columns = _cells(block.rows, top, stride), _cells(block.columns, left, stride)
            whole[rows.start - first : rows.stop - first, columns] = own
        self.score_inputs += [tuple(value.to(model.device) for value in each) for each in found.score_inputs]


class BlockAssembly(JoiningAssembly):
    """The map and the score of a picture of which some blocks were measured.

    Values of the map are -inf, which no threshold is under, where the picture was not looked at. The score is that of
    the cells that were measured. If it is made of the map, other pixels count as 0, so that it is at most the score of
    the whole picture.
    """

    def __init__(
        self, model: TiledModel, plan: TilePlan, roi: Roi | None, blocks: Iterable[MeasuredBlock], coverage: Coverage
    ) -> None:
        nothing = torch.empty(0, device=model.device)
        super().__init__(model, Prepared(nothing, 1.0, plan, plan.image_size, roi), blocks)
        self._coverage, seen = coverage, roi or Roi.whole(plan.image_size)
        self._unseen = [
            (_slice(each.rows, seen.top), _slice(each.columns, seen.left)) for each in coverage.unseen
        ]  # in the map

    @torch.inference_mode()
    def finish(self) -> Generator[None, None, Outcome]:
        """See Assembly; the outcome says how much was looked at."""
        found = yield from super().finish()
        for rows, columns in self._unseen:
            found.anomaly_map[rows, columns] = -inf
        return Outcome(found.raw_score, found.anomaly_map, self._coverage)

    def _clear(self, found: Tensor) -> None:
        for rows, columns in self._unseen:
            found[rows, columns] = 0


def _cells(pixels: range, origin: int, stride: int) -> slice:
    """The cells that show these pixels of the canvas, counted from the cell at the pixel `origin` on."""
    return slice((pixels.start - origin) // stride, -(-(pixels.stop - origin) // stride))


def _slice(pixels: range, first: int) -> slice:
    return slice(pixels.start - first, pixels.stop - first)
