"""Runs programs by the oneDNN kernels of torch's compiler, which fuse convolution, addition and rectification."""

from collections.abc import Callable
from math import inf

import torch
from torch import Tensor, nn

from app.runtime.network import DTYPES, Kernels, Precision, StraightLine
from app.runtime.plain import rectified
from app.runtime.pooling import max_pool, max_pool_rectified
from app.runtime.program import Convolution, MaxPool, Pair, Program
from app.runtime.shapes import Shape, shapes
from app.runtime.winograd import WinogradConvolution, has_gain
from app.torch_private import fused_convolution, fused_convolution_and_addition, packed_weight

PACKED_TILES = 4
"""The number of tiles for which weights are packed. In measurements, other numbers of tiles had the same layout."""


def uses_winograd(program: Program, precision: Precision, tile_size: Pair | None) -> bool:
    """Whether Winograd's transforms apply to any step of the program."""
    if tile_size is None:
        return False
    sizes, dtype = shapes(program, tile_size), DTYPES[precision]
    convolutions = [step for step in program.steps if isinstance(step, Convolution)]
    return any(_own(step, dtype) == torch.float32 and has_gain(step, sizes[step.source]) for step in convolutions)


def fused_network(program: Program, precision: Precision, tile_size: Pair | None, *, winograd: bool) -> StraightLine:
    """A network that runs the program on the CPU, with weights packed for tiles of `tile_size`.

    Tiles of other sizes give the same results, but may take ten times as long, because oneDNN then packs the weights
    again at every call. None leaves the weights unpacked, which is a little slower for tiles of every size. `winograd`
    uses Winograd's transforms where they apply.

    In a lower precision than float32, the convolutions of the tiles and the max pooling after them still use float32:
    rounding pixels and the first weights is more than half of the error, and sometimes changed maps by more than 2 %.
    """
    dtype = DTYPES[precision]
    sizes = shapes(program, tile_size) if tile_size else None
    operations: list[Callable[..., Tensor]] = []
    for step, done in zip(program.steps, program.last_uses(), strict=True):
        if isinstance(step, Convolution):
            own = _own(step, dtype)
            source = sizes[step.source] if sizes else None
            if winograd and source is not None and own == torch.float32 and has_gain(step, source):
                operations.append(WinogradConvolution(step, source))
            else:
                operations.append(_FusedConvolution(step, own, source, step.add in done))
        elif isinstance(step, MaxPool):
            operations.append(_pool(step, dtype, program.is_rectified(step.source)))
        else:
            operations.append(lambda *sources: torch.cat(sources, 1))
    return StraightLine(program, Kernels.winograd if winograd else Kernels.fused, precision, operations)


def _own(step: Convolution, dtype: torch.dtype) -> torch.dtype:
    """The dtype of a step in a network of this dtype; convolutions of the tiles always use float32."""
    return dtype if step.source else torch.float32


def _pool(step: MaxPool, dtype: torch.dtype, rectified: bool) -> Callable[[Tensor], Tensor]:
    pool = max_pool_rectified if rectified else max_pool
    return lambda x: pool(x, step).to(dtype)


class _FusedConvolution:
    """A convolution step with its packed weight. With `in_place`, the result may overwrite the added value."""

    def __init__(self, step: Convolution, dtype: torch.dtype, source: Shape | None, in_place: bool) -> None:
        weight, bias = step.folded()
        module = step.module
        self._relu, self._limit, self._in_place = step.relu, step.limit, in_place
        self._dtype, self._bias = dtype, bias.to(dtype)
        weight = weight.to(dtype, memory_format=torch.channels_last)
        extra = [list(module.output_padding)] if isinstance(module, nn.ConvTranspose2d) else []
        self._transposed = bool(extra)
        self._shape = (list(step.padding), *extra, list(module.stride), list(module.dilation), module.groups)
        if source is not None:
            weight = packed_weight(weight, self._shape, (PACKED_TILES, *source), transposed=self._transposed)
        self._weight = weight

    def __call__(self, x: Tensor, add: Tensor | None = None) -> Tensor:
        x, given = x.to(self._dtype), (self._weight, self._bias, self._shape)
        if add is None:
            return fused_convolution(x, *given, relu=self._relu, limit=self._limit, transposed=self._transposed)
        if self._transposed:
            y = fused_convolution(x, *given, transposed=True).add_(add)
            return rectified(y, self._limit) if self._relu else y
        y = fused_convolution_and_addition(x, add, *given, relu=self._relu, in_place=self._in_place)
        return y.clamp_max_(self._limit) if self._limit < inf else y
