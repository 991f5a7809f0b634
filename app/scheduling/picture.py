"""The work on one picture, or on a band of one."""

from collections.abc import Generator, Sequence
from typing import ClassVar

from torch import Tensor

from app.admission import Ticket
from app.pipeline import Band, BandOutcome, Outcome, Roi, TiledModel, end_band
from app.pipeline.assembly import Assembly
from app.scheduling.job import Job
from app.scheduling.work import Finished, Work
from app.tiling import TilePlan

Done = Finished[Outcome]
"""A picture's outcome, with the map on the CPU."""


class Picture(Work[Outcome]):
    """The computation for a picture. `roi` restricts the prediction to a region."""

    def __init__(
        self,
        ticket: Ticket[Job],
        models: Sequence[TiledModel],
        image: Tensor,
        roi: Roi | None = None,
        plan: TilePlan | None = None,
        *,
        background: bool = False,
    ) -> None:
        height, width = image.shape[-2:]
        self._plan = plan or models[0].plan(height, width, roi)
        self._image, self._roi = image, roi
        super().__init__(ticket, models, self._plan, self._plan.count, background=background)

    def _begin(self, model: TiledModel) -> Assembly:
        self.prepared = model.prepare(self._image, self._roi, self._plan)
        return Assembly(model, self.prepared)

    def _finish(self, assembly: Assembly) -> Generator[None, None, Outcome]:
        return assembly.finish()


class ShadowPicture(Picture):
    """The computation of another version for a picture that was answered: background work."""

    is_picture: ClassVar[bool] = False

    def __init__(self, ticket: Ticket[Job], models: Sequence[TiledModel], image: Tensor, plan: TilePlan) -> None:
        super().__init__(ticket, models, image, plan=plan, background=True)


class BandWork(Work[BandOutcome]):
    """The computation for a band of a picture that does not fit into memory."""

    is_picture: ClassVar[bool] = False

    def __init__(self, ticket: Ticket[Job], models: Sequence[TiledModel], band: Band, *, background: bool) -> None:
        super().__init__(ticket, models, band.plan, band.tiles, background=background)
        self._band = band

    def _begin(self, model: TiledModel) -> Assembly:
        self.prepared, assembly = self._band.begin(model)
        return assembly

    def _finish(self, assembly: Assembly) -> Generator[None, None, BandOutcome]:
        return end_band(assembly, self._band)
