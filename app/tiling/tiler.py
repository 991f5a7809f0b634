"""anomalib's `Tiler`, for programs that were written against it."""

import threading
from collections.abc import Sequence

from torch import Tensor

from app.errors import InvalidTiling
from app.tiling.config import Mode, Tiling
from app.tiling.ops import tile, untile
from app.tiling.plan import TilePlan, plan


class Tiler:
    """Cuts and stitches with anomalib's constructor and method names.

    `untile` needs the plan of the pictures that `tile` cut. It can be passed; otherwise it is the last one of the same
    thread, as anomalib's users expect. Whoever has several pictures in flight passes it, or calls `app.tiling.tile` and
    `untile`.
    """

    def __init__(
        self,
        tile_size: int | Sequence[int],
        stride: int | Sequence[int] | None = None,
        remove_border_count: int = 0,
        mode: Mode = "padding",
    ) -> None:
        self.tiling = Tiling(True, tile_size, stride, remove_border_count, mode)
        self._last = threading.local()

    def plan(self, height: int, width: int) -> TilePlan:
        """The plan for pictures of this size."""
        return plan(self.tiling, height, width)

    def tile(self, image: Tensor) -> Tensor:
        """[N,C,H,W] -> [N * tiles,C,h,w], ordered by picture, row, column."""
        self._last.plan = self.plan(*image.shape[-2:])
        return tile(image, self._last.plan)

    def untile(self, tiles: Tensor, plan: TilePlan | None = None) -> Tensor:
        """[N * tiles,C,h,w] -> [N,C,H,W]; see `app.tiling.untile`."""
        known: TilePlan | None = plan or getattr(self._last, "plan", None)
        if known is None:
            raise InvalidTiling("untile comes before tile in this thread; pass the plan of the pictures")
        return untile(tiles, known)
