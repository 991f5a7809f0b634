"""The tiling parameters, which do not depend on a picture."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import TypeVar

from app.errors import InvalidTiling

Size = tuple[int, int]
Member = TypeVar("Member", bound=StrEnum)


class TilingMode(StrEnum):
    """How tiles are fitted to a picture: the picture is padded at the right and bottom (padding) or stretched
    (interpolation) to a whole number of tiles, or the last tiles are moved inward (cover), also with their halo
    (within). New values may be added.
    """

    padding = "padding"
    interpolation = "interpolation"
    cover = "cover"
    within = "within"

    @property
    def moves_tiles(self) -> bool:
        """Whether the last tiles are moved inward."""
        return self in (TilingMode.cover, TilingMode.within)


class PaddingFill(StrEnum):
    """What tiles and halos contain outside the picture: zeros after normalisation, the picture mirrored at its edge
    (reflect), or the pixels of its edge (replicate). New values may be added.
    """

    zeros = "zeros"
    reflect = "reflect"
    replicate = "replicate"


class Blend(StrEnum):
    """The weights of overlapping tiles: equal (mean), or highest at the centre of a tile (gaussian). New values may be
    added.
    """

    mean = "mean"
    gaussian = "gaussian"


@dataclass(frozen=True, slots=True, init=False)
class Tiling:
    """The tiling parameters. Sizes are in pixels, an int or `[height, width]`. Raises InvalidTiling.

    Args:
        enable: false makes the whole picture one tile, and ignores the other parameters
        tile_size: the size of a tile, an int or [height, width]
        stride: the distance between the starts of neighbouring tiles; tiles overlap if it is less than the tile size
            (default: the tile size)
        remove_border_count: the width in pixels of the border of each tile that is left out wherever another tile shows
            the same place
        mode: how tiles are fitted to a picture that is not on their grid: padding (the picture is padded at the right
            and bottom), interpolation (it is stretched, nearest), cover (the last tiles are moved inward, so that
            they lie within the picture), or within (as cover; halos lie within the picture, too, so that the features
            at its edges are those of the untiled network)
        blend: the weights of overlapping tiles: mean (equal), or gaussian (highest at the centre of a tile)
        halo: the width in pixels of the context around each tile that the network sees; its features are discarded
        padding_fill: what tiles and halos contain outside the picture: zeros, reflect (the picture mirrored), or
            replicate (its edge)
        thumbnail: whether the whole picture, made smaller, is one more tile, which shows what is larger than a tile;
            for Subspace, Patchcore and Fusion
    """

    enable: bool
    tile_size: Size
    stride: Size
    remove_border_count: int
    mode: TilingMode
    blend: Blend
    halo: int
    padding_fill: PaddingFill
    thumbnail: bool

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
        thumbnail: bool = False,
    ) -> None:
        tile = as_size("tile_size", tile_size)
        step = tile if stride is None else as_size("stride", stride)
        names = _member(TilingMode, "mode", mode), _member(Blend, "blend", blend)
        fill = _member(PaddingFill, "padding_fill", padding_fill)
        values = (enable, tile, step, remove_border_count, *names, halo, fill, thumbnail)
        for field, value in zip(fields(self), values, strict=True):
            object.__setattr__(self, field.name, value)
        if enable:
            self._check()
        elif thumbnail:
            raise InvalidTiling(
                "thumbnail is true, and without tiling the whole picture is the only tile; enable tiling, or leave out "
                "thumbnail"
            )

    def _check(self) -> None:
        for name, step, tile in zip(("height", "width"), self.stride, self.tile_size, strict=True):
            if step > tile:
                raise InvalidTiling(
                    f"stride {name} {step} is larger than tile {name} {tile} and would leave gaps; use {tile} or less"
                )
        if self.halo < 0:
            raise InvalidTiling(f"halo is {self.halo}; use 0 or more")
        most = (min(self.tile_size) - 1) // 2
        if not 0 <= self.remove_border_count <= most:
            raise InvalidTiling(
                f"remove_border_count is {self.remove_border_count}; use 0 to {most} with tiles of {self.tile_size}"
            )

    def require_multiples(self, feature_stride: int, tile_multiple: int | None = None) -> None:
        """Raises InvalidTiling, with the nearest valid sizes, unless tiles lie on a feature grid of this stride.

        The size of a tile, with and without its halo, must be a multiple of `tile_multiple`, itself a multiple of
        `feature_stride` and by default equal to it. It is larger for networks that downsample further than their
        features, and upsample again. Stride and halo must be multiples of `feature_stride`, and the removed border must
        leave a cell of each tile. With the mode `within`, stride and halo must be multiples of `tile_multiple`, too.
        """
        if not self.enable:
            return
        whole = tile_multiple or feature_stride
        within = self.mode is TilingMode.within
        halo_step = whole if within else -(-whole // 2 // feature_stride) * feature_stride
        steps = (whole, self.grid(feature_stride, whole), halo_step)
        named = zip(("tile_size", "stride", "halo"), (self.tile_size, self.stride, (self.halo,)), steps, strict=True)
        for name, values, step in named:
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

    def grid(self, feature_stride: int, tile_multiple: int) -> int:
        """The number of pixels at whose multiples tiles that are moved inward begin.

        With the mode `within` this is `tile_multiple`, so that all layers have the cells of the untiled picture.
        """
        return tile_multiple if self.mode is TilingMode.within else feature_stride


def as_size(name: str, value: int | Sequence[int]) -> Size:
    """`(height, width)` of an int or a pair; raises InvalidTiling for anything else."""
    pair = (value, value) if isinstance(value, int) else tuple(value)
    if len(pair) != 2 or not all(isinstance(edge, int) and edge >= 1 for edge in pair):
        raise InvalidTiling(f"{name} is {value!r}; use a number of pixels, or [height, width], each at least 1")
    return pair[0], pair[1]


def _member(kind: type[Member], name: str, value: str) -> Member:
    if value not in list(kind):
        raise InvalidTiling(f"{name} is {str(value)!r}; use {' or '.join(kind)}")
    return kind(value)


def _nearest_multiples(value: int, step: int, smallest: int) -> str:
    below = value // step * step
    above = below + step
    return f"{below} or {above}" if below >= smallest * step else str(above)
