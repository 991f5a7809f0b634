"""How pictures are tiled: the choices, apart from any picture."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Literal

from app.errors import InvalidTiling

Size = tuple[int, int]
Mode = Literal["padding", "interpolation"]
Blend = Literal["mean", "gaussian"]


@dataclass(frozen=True, slots=True, init=False)
class Tiling:
    """Tile size, stride and what happens at borders; sizes in pixels, an int or `[height, width]`.

    Raises InvalidTiling.

    Args:
        enable: false takes the whole picture as one tile, and ignores the rest
        tile_size: an int or [height, width]
        stride: how far apart tiles begin; by default the tile size, less for overlapping tiles
        remove_border_count: pixels of each tile's edges that are left out wherever another tile shows the same place
        mode: how a picture that is not on the grid is enlarged: padding (zeros at the right and bottom), or
            interpolation (stretched, nearest)
        blend: how overlapping tiles are weighed: mean or gaussian
        halo: pixels of context around each tile that it is computed with, and that are thrown away
    """

    enable: bool
    tile_size: Size
    stride: Size
    remove_border_count: int
    mode: Mode
    blend: Blend
    halo: int

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
        tile = as_size("tile_size", tile_size)
        step = tile if stride is None else as_size("stride", stride)
        values = (enable, tile, step, remove_border_count, mode, blend, halo)
        for field, value in zip(fields(self), values, strict=True):
            object.__setattr__(self, field.name, value)
        if enable:
            self._check()

    def _check(self) -> None:
        for name, step, tile in zip(("height", "width"), self.stride, self.tile_size, strict=True):
            if step > tile:
                raise InvalidTiling(
                    f"stride {name} {step} is larger than tile {name} {tile} and would leave gaps; use {tile} or less"
                )
        if self.mode not in ("padding", "interpolation"):
            raise InvalidTiling(f"mode is {self.mode!r}; use 'padding' or 'interpolation'")
        if self.blend not in ("mean", "gaussian"):
            raise InvalidTiling(f"blend is {self.blend!r}; use 'mean' or 'gaussian'")
        if self.halo < 0:
            raise InvalidTiling(f"halo is {self.halo}; use 0 or more")
        most = (min(self.tile_size) - 1) // 2
        if not 0 <= self.remove_border_count <= most:
            raise InvalidTiling(
                f"remove_border_count is {self.remove_border_count}; use 0 to {most} with tiles of {self.tile_size}"
            )

    def require_multiples(self, feature_stride: int, tile_multiple: int | None = None) -> None:
        """Raises InvalidTiling unless tiles lie on a feature grid of this stride; names the nearest values that do.

        `tile_multiple`, a multiple of the stride, is for networks that go deeper than their features, and back.
        """
        if not self.enable:
            return
        whole = tile_multiple or feature_stride
        sizes = (("tile_size", self.tile_size, whole), ("stride", self.stride, feature_stride))
        for name, values, step in (*sizes, ("halo", (self.halo,), -(-whole // 2 // feature_stride) * feature_stride)):
            for value in values:
                if value % step:
                    raise InvalidTiling(
                        f"{name} {value} is not a multiple of {step}, the stride of the deepest layer; "
                        f"use {_nearest_multiples(value, step, smallest=0 if name == 'halo' else 1)}"
                    )
        cells = -(-self.remove_border_count // feature_stride)
        if 2 * cells * feature_stride >= min(self.tile_size):
            most = (min(self.tile_size) // feature_stride - 1) // 2 * feature_stride
            raise InvalidTiling(
                f"remove_border_count {self.remove_border_count} takes {cells} cells of {feature_stride} pixels "
                f"from each side of a tile of {self.tile_size} and leaves none; use {most} or less"
            )


def as_size(name: str, value: int | Sequence[int]) -> Size:
    """`(height, width)` of an int or a pair; raises InvalidTiling for anything else."""
    pair = (value, value) if isinstance(value, int) else tuple(value)
    if len(pair) != 2 or not all(isinstance(edge, int) and edge >= 1 for edge in pair):
        raise InvalidTiling(f"{name} is {value!r}; use a number of pixels, or [height, width], each at least 1")
    return pair[0], pair[1]


def _nearest_multiples(value: int, step: int, smallest: int) -> str:
    below = value // step * step
    above = below + step
    return f"{below} or {above}" if below >= smallest * step else str(above)
