"""A space of few dimensions whose distances are never longer than the true distances.

Points are projected onto the bank's first principal components. The length of the residual is one more coordinate. For
orthonormal axes V and residual lengths r(x) = |x - V V'x|, Pythagoras and the triangle inequality give

    |x - y|^2 = |V'x - V'y|^2 + |(x - V V'x) - (y - V V'y)|^2 >= |V'x - V'y|^2 + (r(x) - r(y))^2 = |T x - T y|^2.

A *code* is T x in low precision. Its *error* is an upper bound of the distance between the code and T x, so that
|x - y| >= |code x - code y| - error x - error y. Errors are measured, not estimated. Only the rounding error of the
projection itself is bounded by its worst case. The axes are rotated within their span, which preserves all lengths:
principal components differ a lot in size, and 8 bits are used best if all coordinates have similar sizes.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

UNIT = 2.0**-24  # the unit roundoff of float32
PART = 128  # channels per partial sum of a product; the rounding error grows with it
LEVELS = {torch.int8: 127, torch.bfloat16: 255}
"""The largest integer in a code. bfloat16 represents integers up to 256 exactly. Processors sum products of bfloat16 in
float32, in which sums of 257 products of such codes are exact.
"""
SMALLEST = 1e-15  # points without larger coordinates get the code 0; their error includes the difference
UNDERFLOW = 1e-17  # the largest error of a length due to squares that are too small for float32
CHUNK = 4096


@dataclass(frozen=True, slots=True)
class Codes:
    """The codes of n points. The code of a point is `values * scale`."""

    values: Tensor  # [n,K] int8, bfloat16 (with integer values) or float32
    scale: Tensor  # [n] float32
    norms: Tensor  # [n] float32, the squared lengths of the codes
    errors: Tensor  # [n] float32


class SmallSpace:
    """The projection for a bank [M,C] float32 of finite values, with at most `size` coordinates per point."""

    def __init__(self, bank: Tensor, size: int, dtype: torch.dtype) -> None:
        channels = bank.shape[1]
        self.dtype = dtype
        self._channels, self._count = channels, min(size - 1, channels)
        self.mean = bank.mean(0)
        axes = _turned(_principal_axes(bank, self.mean)[:, : self._count]).float()
        # Columns of 0: one for the residual's length; at least two in all: torch's int8 product fails for one.
        self._axes = F.pad(axes, (0, max(int(self._count < channels), 2 - self._count)))  # [C,K]
        # gamma |x| bounds the error of a product of x with a vector of length 1; `_project` has k such vectors
        gamma = 2 * (min(PART, channels) + -(-channels // PART) + 3) * UNIT
        self._moved = gamma * self._count**0.5
        self._squares_moved = 2 * self._moved + 2 * (channels + size) * UNIT
        self._middle = torch.zeros(())
        if self._count < channels:  # the mean residual length is subtracted: 8 bits are used best for values around 0
            self._middle = torch.cat([self._project(rows)[0][:, -1] for rows in torch.split(bank, CHUNK)]).mean()

    @property
    def size(self) -> int:
        """The number of coordinates of a code."""
        return self._axes.shape[1]

    def codes(self, points: Tensor, group: int = 1) -> Codes:
        """The codes of points [n,C] float32. With integer codes, `group` consecutive points share one scale."""
        projected, errors = self._project(points)
        if self.dtype == torch.float32:
            return Codes(projected, torch.ones_like(errors), projected.square().sum(1), errors)
        largest = projected.abs().amax(1).view(-1, group).amax(1)
        levels = LEVELS[self.dtype]
        scale = torch.where(largest > SMALLEST, largest / levels, 1.0).repeat_interleave(group)
        values = (projected / scale[:, None]).round_().clamp_(-levels, levels)
        off = torch.linalg.vector_norm(projected.addcmul_(values, scale[:, None], value=-1), dim=1)
        norms = values.square().sum(1) * scale.square()
        return Codes(values.to(self.dtype), scale, norms, errors.add_(off, alpha=1.0001))

    def _project(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """T of the points [n,K], and upper bounds of its rounding errors [n].

        The error of each of the k coordinates is at most gamma |x|. The error of r follows from the error of r^2,
        because |sqrt a - sqrt b| is at most |a - b| / sqrt a, and at most sqrt |a - b|.
        """
        centred = points - self.mean
        squares = torch.linalg.vector_norm(centred, dim=1).square_()
        projected = centred[:, :PART] @ self._axes[:PART]
        for first in range(PART, self._channels, PART):
            part = slice(first, first + PART)
            projected.addmm_(centred[:, part], self._axes[part])
        errors = (squares.sqrt() * self._moved).add_(UNDERFLOW)
        if self._count == self._channels:  # there is no residual, and bounds stay valid without its coordinate
            return projected, errors
        left = (squares - torch.linalg.vector_norm(projected, dim=1).square_()).clamp_(min=0).sqrt_()
        off = squares * self._squares_moved
        errors += torch.where(left * left > off, off / left, off.sqrt())
        projected[:, -1] = left - self._middle
        return projected, errors


def _principal_axes(bank: Tensor, mean: Tensor) -> Tensor:
    """Orthonormal axes [C,C] float64 in columns, the axes of the largest variance first."""
    scatter = torch.zeros(bank.shape[1], bank.shape[1])
    for rows in torch.split(bank, CHUNK):
        centred = rows - mean
        scatter.addmm_(centred.T, centred)
    axes: Tensor = torch.linalg.eigh(scatter.double()).eigenvectors
    return axes.flip(1)


def _turned(axes: Tensor) -> Tensor:
    """The axes [C,k] times a fixed random orthogonal matrix [k,k]."""
    generator = torch.Generator().manual_seed(0)
    square = torch.randn(axes.shape[1], axes.shape[1], dtype=axes.dtype, generator=generator)
    turn: Tensor = torch.linalg.qr(square).Q
    return axes @ turn
