"""Exact nearest neighbours on a GPU. Tensor cores do most of the work in half precision.

First, products of *codes* give lower bounds of all distances. A code is a point minus the bank's mean, rounded to half
precision. Its *error* is measured, and |x - y| >= |code x - code y| - error x - error y. The bank's rows are divided
into groups, and only the smallest bound of each group is written to memory. Then, for each query, the distances to all
rows of a group are computed in float32, group by group, the smallest bound first, until no other group has a bound
below the smallest distance. All of this runs on the GPU without synchronising with the host.
"""

import math

import torch
from torch import Tensor

from app.detectors.bounded import LARGEST
from app.detectors.nearest import distances_to
from app.detectors.search_kernels import group_minima, nearest_in_groups
from app.detectors.small_space import SMALLEST, UNDERFLOW, UNIT, Codes

CAPABILITY = 8, 0  # compute capability of the oldest GPUs that Triton supports
GROUP, QUERIES, ROWS, STEP = 16, 128, 128, 64  # see `group_minima`
CHUNK, ROW_STEP = 4096, 128  # see `nearest_in_groups`
GROUP_MINIMA_OPTIONS = {"num_warps": 8, "num_stages": 3}  # keep 128 x 128 products in registers
NEAREST_IN_GROUPS_OPTIONS = {"num_warps": 4}
EXPONENT = 8  # codes are at most 2**EXPONENT: codes and sums of their products stay far from the limits of float types
BIAS, MANTISSA = 127, 23  # the exponent's bias, and the number of bits of the mantissa, of float32
PART = 65536  # bank rows whose codes are computed at a time


class GroupedSearch:
    """Searches a bank [M,C] float32 of finite values on a GPU, or on a CPU if Triton interprets its kernels.

    With a tolerance t, the search may return a row whose distance is up to 1 / (1 - t) times the smallest distance.
    Raises RuntimeError if the GPU is too old, and Triton's exceptions if the kernels cannot be compiled.
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
        self.nearest(bank[:1])[1].item()  # compiles the kernels: errors are raised here

    def nearest(self, queries: Tensor) -> tuple[Tensor, Tensor]:
        """Distance to, and index of, the row nearest to each of queries [N,C] float32, N > 0: [N], [N] int64.

        The row is arbitrary for a query whose square overflows in float32.
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
        """The codes of points: values in float16, padded with zeros to a multiple of STEP channels.

        The norms are lowered by the largest rounding error of |x|^2 + |y|^2 - 2 x.y with C products. The error of each
        norm is at most C units. The error of x.y is at most 2.5 C units of |x| |y|, because tensor cores truncate each
        term and each sum of four or more terms; 2 |x| |y| <= |x|^2 + |y|^2.
        """
        centred = points - self._mean
        values = (centred / scale[..., None]).half()
        code = values.float().mul_(scale[..., None])
        norms = torch.linalg.vector_norm(code, dim=1).square_().mul_(1 - self._eta)
        errors = torch.linalg.vector_norm(centred - code, dim=1).mul_(1 + 1e-4).add_(UNDERFLOW)
        errors += torch.linalg.vector_norm(centred, dim=1).mul_(2 * UNIT)  # the rounding of `centred` itself
        vast = (norms >= LARGEST) & norms.isfinite()  # points that are not finite have no nearest row
        padding = 0, -points.shape[1] % STEP
        values = torch.nn.functional.pad(values, padding)
        return Codes(values, scale.expand(len(points)), norms, errors.masked_fill_(vast, math.inf))


def _scale(largest: Tensor) -> Tensor:
    """The scale of codes for points with this largest magnitude: a power of two."""
    exponent = torch.frexp(torch.where(largest > SMALLEST, largest, 1.0)).exponent
    return ((exponent + (BIAS - EXPONENT)) << MANTISSA).view(torch.float32)  # not ldexp, which may round


def _filled(values: Tensor, length: int, filling: float) -> Tensor:
    """The values, padded with `filling` to this length."""
    filled = values.new_full((length, *values.shape[1:]), filling)
    filled[: len(values)] = values
    return filled
