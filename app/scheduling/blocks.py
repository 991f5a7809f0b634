"""The work on a picture that is measured block by block, and joined at the end."""

from collections.abc import Generator, Sequence
from typing import ClassVar

from app.admission import Ticket
from app.pipeline import Outcome, Roi, TiledModel
from app.pipeline.assembly import Assembly
from app.pipeline.blocks import Coverage
from app.pipeline.joining import BlockAssembly, BlockPixels, MeasuredBlock, measured
from app.scheduling.job import Job
from app.scheduling.picture import Picture
from app.scheduling.work import Work
from app.tiling import TilePlan


class CoarsePicture(Picture):
    """A reduced picture, whose map says which blocks of the picture are suspicious."""

    is_picture: ClassVar[bool] = False


class BlockWork(Work[MeasuredBlock]):
    """Measures one block of a picture."""

    is_picture: ClassVar[bool] = False

    def __init__(
        self, ticket: Ticket[Job], models: Sequence[TiledModel], pixels: BlockPixels, *, background: bool = False
    ) -> None:
        plan = pixels.block.plan
        super().__init__(ticket, models, plan, plan.count, background=background)
        self._pixels = pixels

    def _begin(self, model: TiledModel) -> Assembly:
        self.prepared = self._pixels.upload(model)
        return Assembly(model, self.prepared)

    def _finish(self, assembly: Assembly) -> Generator[None, None, MeasuredBlock]:
        return measured(assembly, self._pixels.block, self._models[0].detector.map_strides)


class JoinWork(Work[Outcome]):
    """Makes the map and the score of the blocks that were measured; it has no tiles.

    plan: that of the whole picture or region
    """

    def __init__(
        self,
        ticket: Ticket[Job],
        models: Sequence[TiledModel],
        plan: TilePlan,
        roi: Roi | None,
        blocks: Sequence[MeasuredBlock],
        coverage: Coverage,
    ) -> None:
        super().__init__(ticket, models, plan, 0)
        self._plan, self._roi, self._blocks, self._coverage = plan, roi, blocks, coverage

    def _begin(self, model: TiledModel) -> Assembly:
        return BlockAssembly(model, self._plan, self._roi, self._blocks, self._coverage)

    def _finish(self, assembly: Assembly) -> Generator[None, None, Outcome]:
        return assembly.finish()
