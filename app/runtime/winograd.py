"""3 x 3 convolutions with a quarter of the multiplications (Lavin and Gray 2016, arXiv:1509.09308): F(4x4, 3x3).

4 x 4 results are computed from 6 x 6 pixels d and a kernel g as Y = A [(G g G') * (B d B')] A', where ' is the
transpose, and the brackets hold one product per pixel and pair of channels. For blocks of pixels as vectors, B . B' and
A . A' are matrices of 36 x 36 and 16 x 36. Between them are 36 small matrix products: a 1 x 1 convolution with 36
groups, for which oneDNN has a kernel.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from app.runtime.program import Convolution
from app.runtime.shapes import Shape
from app.torch_private import fused_convolution, packed_weight

EDGE, REACH = 4, 6  # the edges of a block of results, and of the block of pixels that they depend on
POSITIONS = REACH * REACH
FEWEST_CHANNELS = 128
FEWEST_BLOCKS = 16
"""Below these sizes Winograd is slower than the direct kernel: with few channels because of the transforms, with few
blocks per tile because its weights are larger.
"""

_B = [
    [4, 0, -5, 0, 1, 0],
    [0, -4, -4, 1, 1, 0],
    [0, 4, -4, -1, 1, 0],
    [0, -2, -1, 2, 1, 0],
    [0, 2, -1, -2, 1, 0],
    [0, 4, 0, -5, 0, 1],
]
_G = [
    [1 / 4, 0, 0],
    [-1 / 6, -1 / 6, -1 / 6],
    [-1 / 6, 1 / 6, -1 / 6],
    [1 / 24, 1 / 12, 1 / 6],
    [1 / 24, -1 / 12, 1 / 6],
    [0, 0, 1],
]
_A = [[1, 1, 1, 1, 1, 0], [0, 1, -1, 2, -2, 0], [0, 1, 1, 4, 4, 0], [0, 1, -1, 8, -8, 1]]
_ONES = 1 * REACH + 1  # the position that A adds to every result with weight 1


def has_gain(step: Convolution, source: Shape) -> bool:
    """Whether Winograd's transforms apply to a step, and were faster in measurements for its size."""
    module, (channels, height, width) = step.module, source
    plain = (step.kernel_size, module.stride, step.padding, module.dilation, module.groups)
    if step.transposed or plain != ((3, 3), (1, 1), (1, 1), (1, 1), 1):
        return False
    blocks = -(-height // EDGE) * -(-width // EDGE)
    return min(channels, module.out_channels) >= FEWEST_CHANNELS and blocks >= FEWEST_BLOCKS


class WinogradConvolution:
    """A convolution step on a CPU in float32, for inputs of any size. The weight is packed for inputs of `source`.

    The rounding error is a few times that of the plain sum, because the transforms have factors up to 8. It is about
    1e-5 of the largest result for kernels of trained networks.
    """

    def __init__(self, step: Convolution, source: Shape) -> None:
        weight, bias = step.folded()
        self._relu, self._limit, self._out = step.relu, step.limit, len(bias)
        channels, height, width = source
        g = torch.tensor(_G, dtype=torch.float64)
        kernels = torch.einsum("ai,kcij,bj->abkc", g, weight.double(), g).float()  # [6,6,K,C]
        kernels = kernels.reshape(-1, channels, 1, 1).contiguous(memory_format=torch.channels_last)
        self._grouping: tuple[object, ...] = ([0, 0], [1, 1], [1, 1], POSITIONS)
        blocks = [1, POSITIONS * channels, -(-height // EDGE), -(-width // EDGE)]
        self._weight = packed_weight(kernels, self._grouping, blocks, transposed=False)
        self._bias = torch.zeros(POSITIONS, self._out)
        self._bias[_ONES] = bias
        self._bias = self._bias.flatten()
        b, a = (torch.tensor(matrix, dtype=torch.float32) for matrix in (_B, _A))
        self._before, self._after = torch.kron(b, b), torch.kron(a, a)  # [36,36], [16,36]

    def __call__(self, x: Tensor, add: Tensor | None = None) -> Tensor:
        """See Convolution: [n,C,h,w] -> [n,K,h,w], channels-last. Computes tile by tile: a tile stays in the cache."""
        tiles, _, height, width = x.shape
        down, right = -height % EDGE, -width % EDGE
        y = torch.empty((tiles, self._out, height + down, width + right), memory_format=torch.channels_last)
        if add is not None and (down or right):
            add = F.pad(add, (0, right, 0, down))
        for number in range(tiles):
            self._one(x[number], None if add is None else add[number], y[number], (1, 1 + right, 1, 1 + down))
        return y[:, :, :height, :width]

    def _one(self, x: Tensor, add: Tensor | None, y: Tensor, padding: tuple[int, int, int, int]) -> None:
        """Computes one tile: [C,h,w] -> y [K,h',w'], which consists of whole blocks."""
        channels = len(x)
        padded = F.pad(x.permute(1, 2, 0), (0, 0, *padding)).contiguous()  # [h'+2,w'+2,C]
        rows, columns = (edge // EDGE for edge in y.shape[1:])
        row, column, _ = padded.stride()
        overlapping = (EDGE * row, EDGE * column, row, column, 1)
        blocks = padded.as_strided((rows, columns, REACH, REACH, channels), overlapping)
        pixels = blocks.reshape(rows * columns, POSITIONS, channels)
        seen = torch.matmul(self._before, pixels).view(1, rows, columns, -1).permute(0, 3, 1, 2)
        products = fused_convolution(seen, self._weight, self._bias, self._grouping)
        found = torch.matmul(self._after, products.permute(0, 2, 3, 1).reshape(rows * columns, POSITIONS, self._out))
        found = found.view(rows, columns, EDGE, EDGE, self._out).permute(0, 2, 1, 3, 4)
        into = y.permute(1, 2, 0).view(rows, EDGE, columns, EDGE, self._out)
        if add is not None:
            torch.add(found, add.permute(1, 2, 0).reshape(into.shape), out=into)
            found = into
        if self._relu:
            torch.clamp(found, 0, self._limit, out=into)
        elif found is not into:
            into.copy_(found)
