"""Computes the shapes of a program's values, in integers only."""

from torch import nn

from app.runtime.program import Convolution, MaxPool, Pair, Program, Step

Shape = tuple[int, int, int]


def shapes(program: Program, tile_size: Pair) -> list[Shape]:
    """(channels, height, width) of every value, for tiles of this size."""
    found: list[Shape] = [(3, *tile_size)]
    for step in program.steps:
        found.append(_shape(step, [found[source] for source in step.sources]))
    return found


def peak_bytes(program: Program, tile_size: Pair, itemsize: int) -> int:
    """The most memory that the values of one tile take at once, without weights and the kernels' scratch memory."""
    sizes = [itemsize * channels * height * width for channels, height, width in shapes(program, tile_size)]
    alive, peak = sizes[0], sizes[0]
    for number, done in enumerate(program.last_uses(), start=1):
        alive += sizes[number]
        peak = max(peak, alive)
        alive -= sum(sizes[value] for value in done)
    return peak


def _shape(step: Step, sources: list[Shape]) -> Shape:
    channels, *edges = sources[0]
    if isinstance(step, Convolution):
        module = step.module
        rule = _enlarged if isinstance(module, nn.ConvTranspose2d) else _reduced
        kernel = tuple(each * (size - 1) + 1 for each, size in zip(module.dilation, step.kernel_size, strict=True))
        extra = module.output_padding
        height, width = (
            rule(edges[axis], kernel[axis], module.stride[axis], step.padding[axis], extra[axis]) for axis in (0, 1)
        )
        return module.out_channels, height, width
    if isinstance(step, MaxPool):
        height, width = (
            _reduced(edges[axis], step.kernel[axis], step.stride[axis], step.padding[axis], 0) for axis in (0, 1)
        )
        return channels, height, width
    return sum(source[0] for source in sources), edges[0], edges[1]


def _reduced(edge: int, kernel: int, stride: int, padding: int, _: int) -> int:
    return (edge + 2 * padding - kernel) // stride + 1


def _enlarged(edge: int, kernel: int, stride: int, padding: int, extra: int) -> int:
    return (edge - 1) * stride - 2 * padding + kernel + extra
