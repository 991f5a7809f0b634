"""What anomalib's tutorial passes to the trainer as callbacks, under the names that it gives them."""

from collections.abc import Sequence

from app.tiling import Tiling
from app.tiling.config import Blend, Mode


class Callback:
    """An option of a training that anomalib gives as a callback."""


class TilerConfigurationCallback(Callback):
    """Tiles the pictures; the parameters are those of `Tiling`. Raises InvalidTiling.

    anomalib's has `enable=False` by default, and then ignores the tile size that it is given.

    Args:
        enable: false trains untiled
        tile_size: see --tiling.tile_size
        stride: see --tiling.stride
        remove_border_count: see --tiling.remove_border_count
        mode: see --tiling.mode
        blend: see --tiling.blend
        halo: see --tiling.halo
    """

    def __init__(
        self,
        enable: bool = True,
        tile_size: int | Sequence[int] = 256,
        stride: int | Sequence[int] | None = None,
        remove_border_count: int = 0,
        mode: Mode = "padding",
        blend: Blend = "mean",
        halo: int = 0,
    ) -> None:
        self.tiling = Tiling(enable, tile_size, stride, remove_border_count, mode, blend, halo)
