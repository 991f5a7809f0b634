"""The work on a picture that is measured block by block, and joined at the end."""

from collections.abc import Generator, Sequence
from typing import ClassVar

from torch import Tensor

from app.admission import Ticket
from app.pipeline import Outcome, Roi, TiledModel
from app.pipeline.assembly import Assembly
from app.pipeline.blocks import Block, Coverage
from app.pipeline.joining import BlockAssembly, MeasuredBlock, measured, prepare_block
from app.scheduling.job import Job
from app.scheduling.picture import Picture
from app.scheduling.work import Work
from app.tiling import TilePlan


class CoarsePicture(Picture):
    """A reduced picture, whose map says which blocks of the picture are suspicious."""

    is_picture: ClassVar[bool] = False


class BlockWork(Work[MeasuredBlock]):
    """Measures one block of a picture [C,H,W] that is not resized."""

    is_picture: ClassVar[bool] = False

    def __init__(self, ticket: Ticket[Job], models: Sequence[TiledModel], image: Tensor, block: Block) -> None:
        super().__init__(ticket, models, block.plan, block.plan.count)
        self._image, self._block = image, block

    def _begin(self, model: TiledModel) -> Assembly:
        self.prepared = prepare_block(model, self._image, self._block)
        return Assembly(model, self.prepared)

    def _finish(self, assembly: Assembly) -> Generator[None, None, MeasuredBlock]:
        return measured(assembly, self._block, self._models[0].detector.map_strides)


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
