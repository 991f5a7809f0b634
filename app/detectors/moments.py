"""Mean and covariance of all patches of a training, in memory that does not grow with their number."""

import torch
from torch import Tensor


class Moments:
    """The number, mean and scatter matrix of patches, updated band by band.

    The moments of two bands are merged as in Chan, Golub and LeVeque 1983: the scatter of both bands is the sum of
    their scatters and of n m / (n + m) d d^T, where d is the difference of their means.
    """

    def __init__(self, channels: int, device: torch.device) -> None:
        self.count = 0
        self.mean = torch.zeros(channels, dtype=torch.float64, device=device)  # [C]
        self.scatter = torch.zeros(channels, channels, dtype=torch.float64, device=device)  # [C,C]

    def add(self, patches: Tensor) -> None:
        """Adds patches [p,C] of any floating-point type, p > 0."""
        patches = patches.float()
        mean = patches.mean(0)
        centred = patches - mean
        self._add(len(patches), mean.double(), (centred.T @ centred).double())

    def merge(self, other: "Moments") -> None:
        """Adds the patches of other moments."""
        if other.count:
            self._add(other.count, other.mean, other.scatter)

    def _add(self, count: int, mean: Tensor, scatter: Tensor) -> None:
        offset, total = mean - self.mean, self.count + count
        self.scatter += scatter
        self.scatter += torch.outer(offset, offset) * (count * self.count / total)
        self.mean += offset * (count / total)
        self.count = total

    def covariance(self) -> Tensor:
        """The sample covariance [C,C] float64; needs at least 2 patches."""
        return self.scatter / (self.count - 1)


def moments_bytes(channels: int) -> int:
    """The bytes of the scatter matrix, its eigenvectors and the work space of the decomposition, float64."""
    return 8 * 6 * channels**2
