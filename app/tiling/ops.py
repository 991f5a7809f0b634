"""Cuts pictures into tiles, and stitches tiles or their features: one copy each way, any dtype and device."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import FunctionCtx
from torch.nn import functional as F

from app.errors import InvalidTiling
from app.tiling.axis import Axis
from app.tiling.config import PaddingFill, Size
from app.tiling.plan import TilePlan

WEIGHTS_BLOCK = 64
"""The number of neighbouring tiles whose weights are computed, and kept, together."""


def tile(
    images: Tensor,
    plan: TilePlan,
    indices: Sequence[int] | None = None,
    out: Tensor | None = None,
    first_row: int | None = None,
    first_column: int | None = None,
) -> Tensor:
    """The tiles of pictures: [N,C,H,W] or [C,H,W] -> [N * tiles,C,h,w], ordered by picture, strip, row, column.

    `indices` selects tiles of each picture, but never the thumbnail; None: all. `out` receives the tiles, in its own
    dtype and on its device. Pictures with one channel may be copied to an `out` with more channels. Pixels outside the
    picture are 0, or as the plan's `fill` says. With `first_row`, `images` begin with this row of the pictures, and
    have at least the rows that the tiles show (`rows_shown`); likewise with `first_column` (`columns_shown`).
    Raises InvalidTiling if the pictures are not of the plan's size.
    """
    batch = images if images.dim() == 4 else images.unsqueeze(0)
    edges = zip((first_row, first_column), batch.shape[-2:], plan.image_size, strict=True)
    if any(first is None and length != expected for first, length, expected in edges):
        raise InvalidTiling(f"the plan is for {plan.image_size} pixels, the picture has {tuple(batch.shape[-2:])}")
    chosen = range(plan.in_grid) if indices is None else indices
    if out is None:
        out = batch.new_empty(len(batch) * len(chosen), batch.shape[1], *plan.input_size)
    for position, index in enumerate(chosen):
        _, row, column = plan.locate(index)
        (top, bottom), (left, right) = plan.y.window(row), plan.x.window(column)
        rows, columns = _known(top, bottom, plan.y), _known(left, right, plan.x)
        down = _pixels(rows, plan.y, batch.device, first_row or 0)
        crop = _crop(batch, down, _pixels(columns, plan.x, batch.device, first_column or 0))
        target = out[position :: len(chosen)]
        if crop.shape[-2:] != target.shape[-2:]:
            target.zero_()
        target[..., rows.start - top : rows.stop - top, columns.start - left : columns.stop - left] = crop
    return out


def rows_shown(plan: TilePlan) -> range:
    """The rows of the picture that the plan's tiles show, with their halo and padding; empty for a thumbnail alone."""
    return _all_shown(plan.y, plan.own_rows) if plan.own_rows else range(0)


def columns_shown(plan: TilePlan) -> range:
    """The columns of the picture that the plan's tiles show, with their halo and padding."""
    return _all_shown(plan.x, range(plan.x.count))


def _all_shown(axis: Axis, tiles: range) -> range:
    """From the first to the last pixel that these tiles show along an edge."""
    first, end = axis.window(tiles[0])[0], axis.window(tiles[-1])[1]
    pixels = _pixels(_known(first, end, axis), axis, torch.device("cpu"))
    if isinstance(pixels, slice):
        return range(pixels.start, pixels.stop)
    return range(int(pixels.min()), int(pixels.max()) + 1)


def zero_padding(tiles: Tensor, plan: TilePlan, indices: Sequence[int]) -> Tensor:
    """Sets the pixels outside the picture to 0, in place, in the tiles [n,C,h,w] with these indices.

    Does nothing if the plan fills them with pixels of the picture.
    """
    if plan.y.fill is not PaddingFill.zeros:
        return tiles
    for index, each in zip(indices, tiles, strict=True):
        _, row, column = plan.locate(index)
        (top, bottom), (left, right) = plan.y.window(row), plan.x.window(column)
        rows, columns = _known(top, bottom, plan.y), _known(left, right, plan.x)
        each[..., : rows.start - top, :] = 0
        each[..., rows.stop - top :, :] = 0
        each[..., : columns.start - left] = 0
        each[..., columns.stop - left :] = 0
    return tiles


def untile(tiles: Tensor, plan: TilePlan) -> Tensor:
    """Stitches all tiles of pictures but thumbnails, or their features: [N * tiles,C,h,w] -> [N,C,H,W]; undoes `tile`.

    Features are smaller than the plan's tiles by the stride of the feature grid. Their result has the cells that show
    the picture: cells that lie wholly in the padding are left out, and stretched pictures keep the cells of the canvas.
    Overlapping tiles are averaged with the plan's weights. Raises InvalidTiling if the number or the size of the tiles
    does not fit the plan.
    """
    if len(tiles) % plan.in_grid:
        raise InvalidTiling(f"{len(tiles)} tiles do not make up pictures of {plan.in_grid} tiles")
    if not plan.tiled:
        return tiles
    if not tiles.is_floating_point():
        return untile(tiles.double(), plan).round().to(tiles.dtype)
    stride = plan.feature_stride(*tiles.shape[-2:])
    height, width = plan.y.cells(stride), plan.x.cells(stride)
    out = tiles.new_zeros(len(tiles) // plan.in_grid, tiles.shape[1], height, width)
    for index in range(plan.in_grid):
        place(tiles[index :: plan.in_grid], index, out, plan, stride)
    return _unstretch(out, plan) if stride == 1 else out


def place(tiles: Tensor, index: int, canvas: Tensor, plan: TilePlan, stride: int, origin: Size = (0, 0)) -> None:
    """Adds tile `index` of each picture, [N,C,h,w], with its weights to its strip's part of `canvas`, [N,C,H,W].

    The canvas begins at the row and column `origin` of the stitched picture, in cells. Disjoint tiles are copied.
    """
    source, target, weights = _shown(tiles, index, canvas, plan, stride, origin)
    if weights is None:
        target.copy_(source)
    else:
        target.addcmul_(source, weights)


def _shown(
    tiles: Tensor, index: int, canvas: Tensor, plan: TilePlan, stride: int, origin: Size = (0, 0)
) -> tuple[Tensor, Tensor, Tensor | None]:
    """The part of a tile that the canvas shows, the part of the canvas that it covers, and its weights; None: all 1."""
    strip, row, column = plan.locate(index)
    like = canvas.dtype, canvas.device
    wy, wx = _weights(plan.y, stride, row, *like), _weights(plan.x, stride, column, *like)
    (first, left), trim_y, trim_x = origin, plan.y.context(row) // stride, plan.x.context(column) // stride
    y = (plan.y.start(row) - plan.y.origin) // stride - first
    x = (plan.x.start(column) - plan.x.origin) // stride - left
    height = min(len(wy), canvas.shape[-2] - y)
    begin, end = ((edge - plan.x.origin) // stride - left - x for edge in (strip.left, strip.right))
    across = slice(max(begin, 0), min(len(wx), end, canvas.shape[-1] - x))
    source = tiles[..., trim_y : trim_y + height, trim_x + across.start : trim_x + across.stop]
    target = canvas[..., y : y + height, x + across.start : x + across.stop]
    return source, target, None if plan.disjoint else wy[:height, None] * wx[across]


class _Untile(torch.autograd.Function):
    """`untile` of feature maps with its own backward pass: autograd would copy the whole canvas for each tile."""

    @staticmethod
    def forward(ctx: FunctionCtx, tiles: Tensor, plan: TilePlan) -> Tensor:
        ctx.plan, ctx.shape = plan, tiles.shape  # type: ignore[attr-defined]  # torch stores any attribute of a context
        return untile(tiles, plan)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        plan: TilePlan = ctx.plan
        tiles = gradient.new_zeros(ctx.shape)
        stride = plan.feature_stride(*ctx.shape[-2:])
        for index in range(plan.in_grid):
            source, target, weights = _shown(tiles[index :: plan.in_grid], index, gradient, plan, stride)
            source.copy_(target if weights is None else target * weights)
        return tiles, None


def untile_features(tiles: Tensor, plan: TilePlan) -> Tensor:
    """Differentiable `untile` of floating-point feature maps on a grid of cells: [N * tiles,C,h,w] -> [N,C,H,W]."""
    stitched: Tensor = _Untile.apply(tiles, plan) if plan.tiled else tiles  # type: ignore[no-untyped-call]  # torch's
    return stitched


def _weights(axis: Axis, stride: int, index: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """The weights of tile `index` in each of its cells: [tile / stride]."""
    block, number = divmod(index, WEIGHTS_BLOCK)
    return _block_weights(axis, stride, block, dtype, device)[number]


@lru_cache(maxsize=256)
def _block_weights(axis: Axis, stride: int, block: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    tiles = range(block * WEIGHTS_BLOCK, min((block + 1) * WEIGHTS_BLOCK, axis.count))
    with torch.inference_mode(False):  # cached tensors are also used with gradients
        return torch.tensor(axis.weights(stride, tiles), dtype=dtype, device=device)  # [tiles,h]


def _known(start: int, stop: int, axis: Axis) -> slice:
    """The part of the window from `start` to `stop` whose pixels come from the picture."""
    if axis.fill is not PaddingFill.zeros:
        return slice(start, stop)
    return slice(max(start, 0), min(stop, axis.content))


def _pixels(window: slice, axis: Axis, device: torch.device, first: int = 0) -> slice | Tensor:
    """The pixels of the picture that this part of the canvas shows: a slice, or the index of each; from `first` on."""
    if axis.content == axis.length and window.start >= 0 and window.stop <= axis.content:
        return slice(window.start - first, window.stop - first)
    return _sources(window, axis, device) - first


def _crop(batch: Tensor, rows: slice | Tensor, columns: slice | Tensor) -> Tensor:
    for dim, pixels in ((-2, rows), (-1, columns)):
        if isinstance(pixels, slice):  # first, because they copy nothing
            batch = batch.narrow(dim, pixels.start, pixels.stop - pixels.start)
    if batch.dtype == torch.uint16:
        batch = batch.float()  # torch supports few operations on uint16
    for dim, pixels in ((-2, rows), (-1, columns)):
        if isinstance(pixels, Tensor):
            batch = batch.index_select(dim, pixels)
    return batch


def _sources(window: slice, axis: Axis, device: torch.device) -> Tensor:
    """For each pixel of a part of the canvas and of the halo around it, the index of the picture's pixel that it shows.

    Pixels outside the picture show it mirrored, or its edge.
    """
    positions = torch.arange(window.start, window.stop, device=device)
    last = axis.content - 1
    if axis.fill is PaddingFill.reflect and last:
        positions = positions.remainder(2 * last)
        positions = torch.minimum(positions, 2 * last - positions)
    positions = positions.clamp(0, last)
    stretched = _nearest(axis, device)
    return positions if stretched is None else stretched[positions]


@lru_cache(maxsize=16)
def _nearest(axis: Axis, device: torch.device) -> Tensor | None:
    """For each pixel of a stretched canvas, the index of the picture's pixel that it shows; None if not stretched.

    `interpolate` stretches the indices (exact in float64), so that they are rounded as torch rounds for pictures.
    """
    if axis.content == axis.length:
        return None
    numbers = torch.arange(axis.length, dtype=torch.float64)[None, None]
    return F.interpolate(numbers, size=axis.canvas, mode="nearest")[0, 0].long().to(device)


def _unstretch(canvas: Tensor, plan: TilePlan) -> Tensor:
    """Inverts stretching: takes, for each pixel of the picture, the first pixel of the canvas that shows it.

    `interpolate(mode="nearest")` does not invert itself: 3 -> 5 -> 3 pixels turns 0, 1, 2 into 0, 0, 1.
    """
    for dim, axis in ((-2, plan.y), (-1, plan.x)):
        source = _nearest(axis, canvas.device)
        if source is not None:
            first = torch.searchsorted(source, torch.arange(axis.length, device=canvas.device))
            canvas = canvas.index_select(dim, first)
    return canvas
