"""The bodies of sizes and tilings."""

from typing import Self

from pydantic import BaseModel, Field

from app.artifacts import Manifest
from app.tiling import Blend, PaddingFill, TilingMode


class SizeBody(BaseModel):
    """A size in pixels."""

    width: int = Field(description="Width in pixels.", examples=[256])
    height: int = Field(description="Height in pixels.", examples=[256])

    @classmethod
    def of(cls, size: tuple[int, int]) -> Self:
        """The body of `(height, width)`."""
        return cls(width=size[1], height=size[0])


class TilingBody(BaseModel):
    """How pictures are cut into tiles."""

    enable: bool = Field(
        description="Whether pictures are cut into tiles. If false, the whole picture is one tile and the "
        "other fields have no effect.",
        examples=[True],
    )
    tile_size: SizeBody = Field(description="Size of a tile, without its halo.")
    stride: SizeBody = Field(description="Distance between the starts of neighbouring tiles.")
    remove_border_count: int = Field(
        description="Pixels at each edge of a tile that are ignored where another tile shows the same place.",
        examples=[0],
    )
    mode: TilingMode = Field(description="How a picture is fitted to a whole number of tiles.")
    blend: Blend = Field(description="How overlapping tiles are weighted.")
    halo: int = Field(
        description="Pixels of context around each tile. The network sees them; the result of the tile leaves "
        "them out.",
        examples=[0],
    )

    padding_fill: PaddingFill = Field(description="What tiles and halos contain outside the picture.")
    thumbnail: bool = Field(
        description="Whether the whole picture, resized to the size of a tile, is one more tile. It shows what is "
        "larger than a tile, what is missing, and what is at a wrong place.",
        examples=[False],
    )
    grid: int = Field(
        description="Pixels at whose multiples the last tile begins with the modes `cover` and `within`, which move it "
        "inward.",
        examples=[8],
    )

    @classmethod
    def of(cls, manifest: Manifest, grid: int) -> Self:
        """The body of the tiling in a manifest; `grid` as in `Tiling.grid`."""
        record = manifest.tiling
        return cls(
            enable=record.enable,
            tile_size=SizeBody.of(record.tile_size),
            stride=SizeBody.of(record.stride),
            remove_border_count=record.remove_border_count,
            mode=record.mode,
            blend=record.blend,
            halo=record.halo,
            grid=grid,
            padding_fill=record.padding_fill,
            thumbnail=record.thumbnail,
        )
