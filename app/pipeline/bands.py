"""The prediction of one band of rows of a picture."""

from collections.abc import Generator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from app.pipeline.assembly import Assembly, completed
from app.pipeline.carried import Carried
from app.pipeline.joining import JoiningAssembly, MeasuredBlock
from app.pipeline.model import Prepared, TiledModel
from app.pipeline.roi import Roi
from app.tiling import Size, TilePlan


@dataclass(frozen=True, slots=True)
class Band:
    """The rows of a picture, at the size at which it is tiled, that some of its rows of tiles need.

    pixels: [C,n,W] on the CPU; for a plan of the thumbnail alone, the thumbnail's pixels; [0] with `blocks`
    white: the value of white
    plan: the tiles of the band, see TilePlan.of_band and TilePlan.of_thumbnail
    image_size: the picture's size before it was resized
    roi: the region that is computed; None: the whole picture
    first_row: the row of the resized picture with which `pixels` begin
    carried: what the band before handed over; None: it is the first
    scored: whether the picture's score is made
    blocks: the blocks that have the band's cells, if they were measured already; None: the band's tiles are computed
    """

    pixels: Tensor
    white: float
    plan: TilePlan
    image_size: Size
    roi: Roi | None
    first_row: int
    carried: Carried | None = None
    scored: bool = True
    blocks: Sequence[MeasuredBlock] | None = None

    @property
    def tiles(self) -> int:
        """The number of tiles that the network computes."""
        return self.plan.count if self.blocks is None else 0

    def begin(self, model: TiledModel) -> tuple[Prepared, Assembly]:
        """The band on the model's device, and what its tiles are assembled by."""
        pixels = self.pixels if self.blocks is not None else model.uploader.upload(self.pixels)
        prepared = Prepared(pixels, self.white, self.plan, self.image_size, self.roi, self.first_row)
        if self.blocks is not None:
            return prepared, JoiningAssembly(model, prepared, self.blocks, self.carried, scored=self.scored)
        return prepared, Assembly(model, prepared, self.carried, scored=self.scored)


@dataclass(frozen=True, slots=True)
class BandOutcome:
    """What a band's tiles gave.

    top: the number of the first of the rows, at the size at which the picture is tiled
    values: [n,w] float32 on the CPU: the rows of the map that are complete, not normalised; n may be 0, and is if the
        picture was resized
    carried: what the next band needs
    raw_score: of the picture, after its last band, if it is made; else None
    """

    top: int
    values: Tensor
    carried: Carried
    raw_score: float | None


def end_band(assembly: Assembly, band: Band) -> Generator[None, None, BandOutcome]:
    """The outcome of a band, after all its tiles were added. Raises NotFinite."""
    top, values = assembly.next_row, torch.empty(0, 0)
    if band.plan.own_rows:
        values = yield from assembly.end()
    has_score = band.scored and band.plan.own_rows.stop == band.plan.rows
    return BandOutcome(top, values, assembly.carried(), assembly.score() if has_score else None)


def run_band(model: TiledModel, band: Band, batch_tiles: int = 0) -> BandOutcome:
    """The outcome of a band, without a queue; `batch_tiles` 0: the model's own. Raises NotFinite."""
    prepared, assembly = band.begin(model)
    for features in model.outputs(prepared, batch_tiles) if band.tiles else ():
        for _ in assembly.add(features):
            pass
    return completed(end_band(assembly, band))
