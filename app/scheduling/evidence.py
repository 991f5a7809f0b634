"""The work that searches the normal patches that are nearest to one place of a picture."""

from collections.abc import Generator, Sequence
from typing import ClassVar

import torch
from torch import Tensor

from app.admission import Ticket
from app.pipeline import Grid, Neighbour, NormalPatches, PatchAssembly, TiledModel, nearest, prepare_part
from app.pipeline.assembly import Assembly
from app.scheduling.job import Job
from app.scheduling.work import Work
from app.tiling import Size


class EvidenceWork(Work[tuple[Neighbour, ...]]):
    """Computes the tiles that show a cell of a picture [C,H,W], and finds the nearest normal patches of its patch.

    cell: its (row, column) in `grid`
    """

    is_picture: ClassVar[bool] = False

    def __init__(
        self,
        ticket: Ticket[Job],
        models: Sequence[TiledModel],
        image: Tensor,
        grid: Grid,
        cell: Size,
        normal: NormalPatches,
    ) -> None:
        self._plan = grid.tiles(cell)
        super().__init__(ticket, models, self._plan, self._plan.count)
        self._image, self._cell, self._normal = image, torch.tensor([cell]), normal

    def _begin(self, model: TiledModel) -> Assembly:
        self.prepared = prepare_part(model, self._image, self._plan)
        self._patches = self._normal.of(model.detector)
        return PatchAssembly(model, self.prepared, self._cell)

    def _finish(self, assembly: Assembly) -> Generator[None, None, tuple[Neighbour, ...]]:
        assert isinstance(assembly, PatchAssembly)
        return nearest(assembly.patches, self._patches)
