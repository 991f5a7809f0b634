"""A tiler with the interface of anomalib's `Tiler`, for programs that use that interface."""

import threading
from collections.abc import Sequence

from torch import Tensor

from app.errors import InvalidTiling
from app.tiling.config import Tiling, TilingMode
from app.tiling.ops import tile, untile
from app.tiling.plan import TilePlan, plan


class Tiler:
    """Cuts and stitches pictures, with the constructor and the method names of anomalib's `Tiler`.

    `untile` needs the plan of the pictures that `tile` cut. By default it uses the plan of the last `tile` of the same
    thread, as anomalib's users expect. A program with several pictures in flight passes the plan, or calls
    `app.tiling.tile` and `app.tiling.untile`.
    """

    def __init__(
        self,
        tile_size: int | Sequence[int],
        stride: int | Sequence[int] | None = None,
        remove_border_count: int = 0,
        mode: TilingMode = TilingMode.padding,
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
        """[N * tiles,C,h,w] -> [N,C,H,W]; see `app.tiling.untile`. Raises InvalidTiling without a plan."""
        known: TilePlan | None = plan or getattr(self._last, "plan", None)
        if known is None:
            raise InvalidTiling("untile was called before tile in this thread; pass the plan of the pictures")
        return untile(tiles, known)
