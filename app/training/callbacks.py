"""The callbacks that anomalib's tutorial passes to the trainer, under anomalib's names."""

from collections.abc import Sequence

from app.tiling import Tiling
from app.tiling.config import Blend, PaddingFill, TilingMode


class Callback:
    """An option of a training that is a callback in anomalib."""


class TilerConfigurationCallback(Callback):
    """Tiles the pictures. The parameters are those of `Tiling`. Raises InvalidTiling.

    anomalib's callback of this name has `enable=False` by default, and then ignores its tile size.

    Args:
        enable: whether to tile; false: each picture is one tile, and the other parameters have no effect
        tile_size: see --tiling.tile_size
        stride: see --tiling.stride
        remove_border_count: see --tiling.remove_border_count
        mode: see --tiling.mode
        blend: see --tiling.blend
        halo: see --tiling.halo
        padding_fill: see --tiling.padding_fill
    """

    def __init__(
        self,
        enable: bool = True,
        tile_size: int | Sequence[int] = 256,
        stride: int | Sequence[int] | None = None,
        remove_border_count: int = 0,
        mode: TilingMode = TilingMode.padding,
        blend: Blend = Blend.mean,
        halo: int = 0,
        padding_fill: PaddingFill = PaddingFill.zeros,
    ) -> None:
        self.tiling = Tiling(enable, tile_size, stride, remove_border_count, mode, blend, halo, padding_fill)
