"""The work on one picture, or on a band of a picture that does not fit into memory."""

from collections.abc import Generator, Sequence

from torch import Tensor

from app.admission import Ticket
from app.pipeline import Band, BandOutcome, Outcome, Prepared, Roi, TiledModel, end_band
from app.pipeline.assembly import Assembly
from app.scheduling.job import Job
from app.scheduling.work import Work
from app.tiling import TilePlan


class PictureWork(Work[Outcome]):
    """The work on a picture [C,H,W] in memory, or on a region of it. The map of the outcome is on the CPU."""

    def __init__(
        self,
        ticket: Ticket[Job],
        models: Sequence[TiledModel],
        image: Tensor,
        roi: Roi | None = None,
        plan: TilePlan | None = None,
    ) -> None:
        self._image, self._roi = image, roi
        height, width = image.shape[-2:]
        self._plan = plan or models[0].plan(height, width, roi)
        super().__init__(ticket, models, self._plan)

    def _begin(self, model: TiledModel) -> tuple[Prepared, Assembly]:
        prepared = model.prepare(self._image, self._roi, self._plan)
        return prepared, Assembly(model, prepared)

    def _end(self, assembly: Assembly) -> Generator[None, None, Outcome]:
        return assembly.finish()


class BandWork(Work[BandOutcome]):
    """The work on a band of a picture."""

    def __init__(self, ticket: Ticket[Job], models: Sequence[TiledModel], band: Band, *, background: bool) -> None:
        self._band = band
        super().__init__(ticket, models, band.plan, background=background)

    def _begin(self, model: TiledModel) -> tuple[Prepared, Assembly]:
        return self._band.begin(model)

    def _end(self, assembly: Assembly) -> Generator[None, None, BandOutcome]:
        return end_band(assembly, self._band)
