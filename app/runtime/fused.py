"""Programs run by the oneDNN kernels of torch's own compiler: convolution, addition and rectification in one."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from app.runtime.network import DTYPES, Precision, StraightLine
from app.runtime.pooling import max_pool, max_pool_rectified
from app.runtime.program import Convolution, MaxPool, Pair, Program
from app.runtime.shapes import Shape, shapes
from app.runtime.winograd import WinogradConvolution, has_gain
from app.torch_private import fused_convolution, fused_convolution_and_addition, packed_weight

PACKED_TILES = 4
"""The number of tiles for which weights are laid out; other numbers take the same layout, as far as was measured."""


def uses_winograd(program: Program, precision: Precision, tile_size: Pair | None) -> bool:
    """Whether Winograd's transforms apply to any step of the program."""
    if tile_size is None:
        return False
    sizes, dtype = shapes(program, tile_size), DTYPES[precision]
    convolutions = [step for step in program.steps if isinstance(step, Convolution)]
    return any(_own(step, dtype) == torch.float32 and has_gain(step, sizes[step.source]) for step in convolutions)


def fused_network(program: Program, precision: Precision, tile_size: Pair | None, *, winograd: bool) -> StraightLine:
    """The program on the CPU, weights laid out for tiles of this size; `winograd` uses its transforms where they apply.

    Tiles of other sizes are answered the same, but may take ten times as long, since oneDNN then lays the weights out
    anew at every call. None leaves them as they are: a little slower, for tiles of every size.

    Less precision than float32 begins after the convolutions that see the tiles, and the maxima of these: rounding
    pixels and the first weights is more than half of the error, and put maps off by more than 2 % now and then.
    """
    dtype = DTYPES[precision]
    sizes = shapes(program, tile_size) if tile_size else None
    operations: list[Callable[..., Tensor]] = []
    for step, done in zip(program.steps, program.done_with(), strict=True):
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
    return StraightLine(program, "winograd" if winograd else "fused", precision, operations)


def _own(step: Convolution, dtype: torch.dtype) -> torch.dtype:
    """What a step is computed in where the network is computed in `dtype`: tiles and the first weights stay exact."""
    return dtype if step.source else torch.float32


def _pool(step: MaxPool, dtype: torch.dtype, rectified: bool) -> Callable[[Tensor], Tensor]:
    pool = max_pool_rectified if rectified else max_pool
    return lambda x: pool(x, step).to(dtype)


class _FusedConvolution:
    """A step with its weight laid out; `in_place` says that what is added may be overwritten with the result."""

    def __init__(self, step: Convolution, dtype: torch.dtype, source: Shape | None, in_place: bool) -> None:
        weight, bias = step.folded()
        module = step.module
        self._relu, self._in_place = step.relu, in_place
        self._dtype, self._bias = dtype, bias.to(dtype)
        weight = weight.to(dtype, memory_format=torch.channels_last)
        extra = [list(module.output_padding)] if isinstance(module, nn.ConvTranspose2d) else []
        self._transposed = bool(extra)
        self._shape = (list(module.padding), *extra, list(module.stride), list(module.dilation), module.groups)
        if source is not None:
            weight = packed_weight(weight, self._shape, (PACKED_TILES, *source), transposed=self._transposed)
        self._weight = weight

    def __call__(self, x: Tensor, add: Tensor | None = None) -> Tensor:
        x, given = x.to(self._dtype), (self._weight, self._bias, self._shape)
        if add is None:
            return fused_convolution(x, *given, relu=self._relu, transposed=self._transposed)
        if self._transposed:
            y = fused_convolution(x, *given, transposed=True).add_(add)
            return y.relu_() if self._relu else y
        return fused_convolution_and_addition(x, add, *given, relu=self._relu, in_place=self._in_place)
