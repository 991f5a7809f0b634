"""Exact nearest neighbours on a GPU, whose tensor cores do most of the work in half precision.

All distances are first bounded from below by products of *codes*, points moved to the bank's mean and rounded to half
precision. Their *errors* are measured, and |x - y| >= |code x - code y| - error x - error y. The bank's rows are in
groups, of which only the smallest bound is written. Then each query looks at its groups, by their bounds, the smallest
first, and computes the distances to all rows of a group in float32, until no group has a bound below the distance that
is known. The GPU does that to its end without being asked in between.
"""

import math

import torch
from torch import Tensor

from app.detectors.bounded import LARGEST
from app.detectors.nearest import distances_to
from app.detectors.search_kernels import group_minima, nearest_in_groups
from app.detectors.small_space import SMALLEST, UNDERFLOW, UNIT, Codes

CAPABILITY = 8, 0  # of the oldest GPUs that Triton supports
GROUP, QUERIES, ROWS, STEP = 16, 128, 128, 64  # see `group_minima`
CHUNK, ROW_STEP = 4096, 128  # see `nearest_in_groups`
GROUP_MINIMA_OPTIONS = {"num_warps": 8, "num_stages": 3}  # by which 128 x 128 products stay in registers
NEAREST_IN_GROUPS_OPTIONS = {"num_warps": 4}
EXPONENT = 8  # of two: codes are smaller, so that they and all their sums of products are far from the ends of range
BIAS, MANTISSA = 127, 23  # of float32
PART = 65536  # rows of the bank that are coded at a time


class GroupedSearch:
    """Searches a bank [M,C] float32 of finite values, on a GPU, or on a CPU where Triton interprets its kernels.

    With a tolerance t it may take another row than the nearest, at a distance of at most 1 / (1 - t) times the least.
    Raises RuntimeError where the GPU is too old, and whatever Triton does where it cannot compile.
    """

    def __init__(self, bank: Tensor, tolerance: float = 0.0) -> None:
        if bank.is_cuda and (found := torch.cuda.get_device_capability(bank.device)) < CAPABILITY:
            raise RuntimeError("kernels need compute capability {}.{}, and it has {}.{}".format(*CAPABILITY, *found))
        rows, channels = bank.shape
        self._bank, self._reach = bank.contiguous(), (1 - tolerance) * (1 + 1e-6)
        self._mean = bank.mean(0)
        self._eta = 4 * (channels + 8) * UNIT
        self._blocks = -(-rows // ROWS)
        self._parts = -(-self._blocks // GROUP)
        self._chunk = min(CHUNK, 1 << (self._parts * ROWS - 1).bit_length())
        parts = torch.split(bank, PART)
        self._scale = _scale(torch.stack([(part - self._mean).abs().amax() for part in parts]).amax())
        codes = [self._codes(part, self._scale) for part in parts]
        length = self._parts * GROUP * ROWS
        self._values = _filled(torch.cat([each.values for each in codes]), self._blocks * ROWS, 0.0)
        self._norms = _filled(torch.cat([each.norms for each in codes]), length, math.inf)
        errors = _filled(torch.cat([each.errors for each in codes]), length, 0.0)
        self._errors = errors.view(self._parts, GROUP, ROWS).amax(1).flatten()  # [parts*ROWS]
        self.nearest(bank[:1])[1].item()  # compiles; what fails does so here

    def nearest(self, queries: Tensor) -> tuple[Tensor, Tensor]:
        """Distance to, and index of, the row nearest to each of queries [N,C] float32, N > 0: [N], [N] int64.

        Where the square of a query overflows in float32, its row may be any.
        """
        queries = queries.contiguous()
        count, channels = queries.shape
        codes = self._codes(queries, _scale((queries - self._mean).abs().amax(1)))
        minima = queries.new_empty(count, self._parts * ROWS)
        index = torch.empty(count, dtype=torch.int64, device=queries.device)
        # Triton launches on the current device.
        with torch.cuda.device_of(queries):  # type: ignore[no-untyped-call]  # torch leaves it so
            group_minima[-(-count // QUERIES), self._parts](
                codes.values, self._values, self._norms, -2 * codes.scale * self._scale, minima, count, self._blocks,
                self._values.shape[1], GROUP, QUERIES, ROWS, STEP, **GROUP_MINIMA_OPTIONS,
            )  # fmt: skip
            nearest_in_groups[(count,)](
                queries, self._bank, minima, codes.norms, codes.errors, self._errors, index, len(self._bank), channels,
                self._parts, self._reach, GROUP, ROWS, self._chunk, ROW_STEP, **NEAREST_IN_GROUPS_OPTIONS,
            )  # fmt: skip
        return distances_to(queries, self._bank, index), index

    def _codes(self, points: Tensor, scale: Tensor) -> Codes:
        """Values in float16, with zeros up to a multiple of STEP, and norms lowered by the worst of all rounding.

        That is of |x|^2 + |y|^2 - 2 x.y with C products. The norms may be off by C units each, and x.y by 2.5 C units
        of |x| |y|, since tensor cores truncate each term and each sum of four or more; 2 |x| |y| <= |x|^2 + |y|^2.
        """
        centred = points - self._mean
        values = (centred / scale[..., None]).half()
        code = values.float().mul_(scale[..., None])
        norms = torch.linalg.vector_norm(code, dim=1).square_().mul_(1 - self._eta)
        errors = torch.linalg.vector_norm(centred - code, dim=1).mul_(1 + 1e-4).add_(UNDERFLOW)
        errors += torch.linalg.vector_norm(centred, dim=1).mul_(2 * UNIT)  # the rounding of `centred` itself
        vast = (norms >= LARGEST) & norms.isfinite()  # what is not finite has no nearest row
        padding = 0, -points.shape[1] % STEP
        values = torch.nn.functional.pad(values, padding)
        return Codes(values, scale.expand(len(points)), norms, errors.masked_fill_(vast, math.inf))


def _scale(largest: Tensor) -> Tensor:
    """The power of two by which codes are divided where this is the largest magnitude."""
    exponent = torch.frexp(torch.where(largest > SMALLEST, largest, 1.0)).exponent
    return ((exponent + (BIAS - EXPONENT)) << MANTISSA).view(torch.float32)  # ldexp may round


def _filled(values: Tensor, length: int, filling: float) -> Tensor:
    """The values, and the filling up to a length."""
    filled = values.new_full((length, *values.shape[1:]), filling)
    filled[: len(values)] = values
    return filled
