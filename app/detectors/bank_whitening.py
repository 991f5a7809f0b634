"""Whitening of the patches of a memory bank: distances between whitened patches are Mahalanobis distances.

As in Mahalanobis PatchCore (arXiv:2605.27748), the bank is chosen, stored and searched in the whitened space.
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from app.detectors.moments import Moments

SHRINKAGE = 0.1
"""The share of the mean variance in a shrunk variance. It limits how much directions are enlarged in which normal
patches hardly vary.
"""
ROWS = 8192  # patches that are whitened in place at once


class Whitening(nn.Module):
    """Whitens patches [n,C] by one product; at first, and for patches that do not vary, patches keep their distances.

    The variances l along the principal axes are shrunk towards their mean m, (1 - s) l + s m, as in Ledoit and Wolf
    2004 (doi:10.1016/S0047-259X(03)00096-4), with a constant share s. Axes are then divided by the square root of
    their shrunk variance over m. So the unit stays that of the features, and equal variances change no distance.
    """

    matrix: Tensor  # [C,C], the principal axes in columns, divided as described
    offset: Tensor  # [C], the mean of normal patches, times the matrix

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.register_buffer("matrix", torch.eye(channels))
        self.register_buffer("offset", torch.zeros(channels))

    def fit(self, moments: Moments) -> None:
        """Takes the distribution of normal patches."""
        covariance = moments.covariance() if moments.count > 1 else torch.zeros_like(moments.scatter)
        variances, axes = torch.linalg.eigh(covariance)
        variances = variances.clamp(min=0)
        mean = variances.mean()
        shrunk = torch.where(mean > 0, (1 - SHRINKAGE) * variances / mean + SHRINKAGE, 1.0)
        matrix = axes / shrunk.sqrt()
        self.matrix, self.offset = matrix.float().contiguous(), (moments.mean @ matrix).float()

    def covariance(self, variance: float) -> Tensor:
        """The covariance [C,C] float64 of the patches that it was fitted to, to rounding, from their mean variance."""
        matrix = self.matrix.double()
        shrunk = matrix.square().sum(0).reciprocal()  # axes have the length 1
        variances = (shrunk - SHRINKAGE).clamp(min=0) * (variance / (1 - SHRINKAGE))
        return (matrix * (shrunk * variances)) @ matrix.T

    def forward(self, patches: Tensor) -> Tensor:
        """Whitened patches [n,C] float32, with the mean 0."""
        return torch.addmm(self.offset, patches, self.matrix, beta=-1)

    def inverse(self, whitened: Tensor) -> Tensor:
        """The patches [n,C] of whitened patches [n,C]."""
        patches: Tensor = torch.linalg.solve(self.matrix, whitened + self.offset, left=False)
        return patches


class WhiteningFit:
    """Fits a whitening to patches that are added part by part."""

    def __init__(self, whitening: Whitening) -> None:
        self._whitening = whitening
        self._moments = Moments(len(whitening.offset), whitening.offset.device)
        self._fitted_to = 0  # patches
        self._finished = False

    def add(self, patches: Tensor) -> None:
        """Adds patches [p,C], p > 0."""
        self._moments.add(patches)

    def whitened_so_far(self, patches: Tensor) -> Tensor:
        """Patches [n,C], whitened by the patches so far.

        Fits again when the number of patches has doubled, because a fit takes a decomposition.
        """
        if self._moments.count >= 2 * self._fitted_to:
            self._fit()
        return self._whitening(patches)  # type: ignore[no-any-return]  # torch declares no type for calls of modules

    def finish(self, stored: Tensor) -> None:
        """Fits the whitening to all patches that were added, and whitens `stored` [n,C] in place, a few at once.

        Does not whiten them again if the state shows that they are whitened.
        """
        self._fit()
        for rows in () if self._finished else torch.split(stored, ROWS):
            rows.copy_(self._whitening(rows))
        self._finished = True

    def state(self) -> dict[str, Tensor]:
        """What another fit needs to continue this one."""
        counts = torch.tensor([self._moments.count, int(self._finished)])
        return {"counts": counts, "mean": self._moments.mean, "scatter": self._moments.scatter}

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Continues the fit whose `state` this is."""
        self._moments.count, self._finished = int(state["counts"][0]), bool(state["counts"][1])
        self._moments.mean.copy_(state["mean"])
        self._moments.scatter.copy_(state["scatter"])

    def _fit(self) -> None:
        self._whitening.fit(self._moments)
        self._fitted_to = self._moments.count
