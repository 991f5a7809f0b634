"""A space of few dimensions in which distances are never longer than the true ones.

Points are projected on the bank's first principal components, and the length of what is left of them becomes one more
coordinate. For orthonormal axes V, and r(x) = |x - V V'x|, Pythagoras and the triangle inequality give

    |x - y|^2 = |V'x - V'y|^2 + |(x - V V'x) - (y - V V'y)|^2 >= |V'x - V'y|^2 + (r(x) - r(y))^2 = |T x - T y|^2.

A *code* stands for T x in low precision, and its *error* is at least the distance between the two, so that
|x - y| >= |code x - code y| - error x - error y. Errors are measured, not estimated, but for the rounding of the
projection itself, whose worst case is added. Codes are turned within the axes, which keeps all lengths: principal
components differ a lot in size, and 8 bits are used best where all coordinates are alike.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

UNIT = 2.0**-24  # the unit roundoff of float32
PART = 128  # channels whose products are added up before they are added to the rest: rounding grows with it
LEVELS = {torch.int8: 127, torch.bfloat16: 255}
"""The largest integer of a code. bfloat16 holds those up to 256 exactly, and sums of 257 products of them are exact in
float32, which processors add them up in.
"""
SMALLEST = 1e-15  # what is shorter has the code 0, which its error tells
UNDERFLOW = 1e-17  # what the square root of a sum of squares may lose where these are too small for float32
CHUNK = 4096


@dataclass(frozen=True, slots=True)
class Codes:
    """Points in the small space: `values` times `scale`, with the square of its length, and its error."""

    values: Tensor  # [n,K] int8, bfloat16 (integers, too) or float32
    scale: Tensor  # [n] float32
    norms: Tensor  # [n] float32
    errors: Tensor  # [n] float32


class SmallSpace:
    """The projection that belongs to a bank [M,C] float32 of finite values: at most `size` numbers a point."""

    def __init__(self, bank: Tensor, size: int, dtype: torch.dtype) -> None:
        channels = bank.shape[1]
        self.dtype = dtype
        self._channels, self._count = channels, min(size - 1, channels)
        self.mean = bank.mean(0)
        axes = _turned(_principal_axes(bank, self.mean)[:, : self._count]).float()
        # Columns of 0: for the length of what is left, and since torch's product of int8 is wrong of a single column.
        self._axes = F.pad(axes, (0, max(int(self._count < channels), 2 - self._count)))  # [C,K]
        # gamma is the error of a sum of products with a vector of length 1, here with k of them; see `_project`
        gamma = 2 * (min(PART, channels) + -(-channels // PART) + 3) * UNIT
        self._moved = gamma * self._count**0.5
        self._squares_moved = 2 * self._moved + 2 * (channels + size) * UNIT
        self._middle = torch.zeros(())
        if self._count < channels:  # the lengths of what is left lie around it, which 8 bits are used best for
            self._middle = torch.cat([self._project(rows)[0][:, -1] for rows in torch.split(bank, CHUNK)]).mean()

    @property
    def size(self) -> int:
        """How many numbers a code has."""
        return self._axes.shape[1]

    def codes(self, points: Tensor, group: int = 1) -> Codes:
        """The codes of points [n,C] float32; of integers, each `group` that follow each other share a scale."""
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
        """T of the points, and how far rounding can have moved it.

        Each of k coordinates is off by at most gamma |x|. The error of r follows from that of r^2, as
        |sqrt a - sqrt b| is at most |a - b| / sqrt a, and at most sqrt |a - b|.
        """
        centred = points - self.mean
        squares = torch.linalg.vector_norm(centred, dim=1).square_()
        projected = centred[:, :PART] @ self._axes[:PART]
        for first in range(PART, self._channels, PART):
            part = slice(first, first + PART)
            projected.addmm_(centred[:, part], self._axes[part])
        errors = (squares.sqrt() * self._moved).add_(UNDERFLOW)
        if self._count == self._channels:  # nothing is left, and a coordinate that is left out makes no bound wrong
            return projected, errors
        left = (squares - torch.linalg.vector_norm(projected, dim=1).square_()).clamp_(min=0).sqrt_()
        off = squares * self._squares_moved
        errors += torch.where(left * left > off, off / left, off.sqrt())
        projected[:, -1] = left - self._middle
        return projected, errors


def _principal_axes(bank: Tensor, mean: Tensor) -> Tensor:
    """Orthonormal axes [C,C] float64, those of the largest variance first."""
    scatter = torch.zeros(bank.shape[1], bank.shape[1])
    for rows in torch.split(bank, CHUNK):
        centred = rows - mean
        scatter.addmm_(centred.T, centred)
    axes: Tensor = torch.linalg.eigh(scatter.double()).eigenvectors
    return axes.flip(1)


def _turned(axes: Tensor) -> Tensor:
    """The axes [C,k] turned among themselves, always in the same way."""
    generator = torch.Generator().manual_seed(0)
    square = torch.randn(axes.shape[1], axes.shape[1], dtype=axes.dtype, generator=generator)
    turn: Tensor = torch.linalg.qr(square).Q
    return axes @ turn
