"""Finds pictures of a training that look least like the rest: defects in a folder of normal pictures.

A model that is fitted to defects does not find them, and its thresholds are too high. Defects in the folder also hide
each other: they widen the distribution by which they are judged. Therefore the distribution is fitted again and again
to the share TRIM fewer pictures that it explains best, until these stay the same: concentration steps, as in FAST-MCD
(Rousseeuw and Van Driessen 1999, doi:10.1080/00401706.1999.10485670) with whole pictures instead of single
observations, and in iterative trimmed loss minimisation (Shen and Sanghavi 2019, arXiv:1810.11874).

The distribution is one Gaussian of all patches, with the features that the training has computed, projected at random
to fewer channels. The score of a picture is the mean of its largest Mahalanobis distances to the distribution of the
other pictures. Pictures beyond the far fence of Tukey (1977, Exploratory Data Analysis, section 2D) are named: three
ranges of the quartiles above the upper quartile of all logarithms of scores.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, sqrt

import torch
from torch import Generator, Tensor
from torch.nn import functional as F

from app.detectors import Features
from app.tiling import Size

CHANNELS = 48
MOST_BYTES = 2**27
"""The memory of all patches together. Where they need more, neighbouring patches are averaged."""
PATCH_BYTES = 2 * CHANNELS
FEWEST_PICTURES = 8  # quartiles of fewer say nothing
TRIM = 0.25
STEPS = 10
LARGEST = 6e4  # of a value in float16
HIGHEST = 0.001
"""The share of a picture's patches whose distances make its score; at least one patch."""
FENCE = 3.0
LEAST_RANGE = 0.1
"""The least range of the quartiles, as logarithms: pictures that hardly differ are not named for a small difference."""
RIDGE = 1e-4
"""The share of the mean variance that is added to all variances, so that constant channels do not count alone."""


@dataclass(frozen=True, slots=True)
class _Sums:
    """The sums of patches: their number, [c] and [c,c] float64."""

    count: int
    first: Tensor
    second: Tensor

    @classmethod
    def of(cls, patches: Tensor) -> "_Sums":
        values = patches.double()
        return cls(len(patches), values.sum(0), values.T @ values)

    def __add__(self, other: "_Sums") -> "_Sums":
        return _Sums(self.count + other.count, self.first + other.first, self.second + other.second)

    def __sub__(self, other: "_Sums") -> "_Sums":
        return _Sums(self.count - other.count, self.first - other.first, self.second - other.second)


def sample_bytes(pictures: int, grid: Size) -> int:
    """The most bytes that `Patches` keeps for so many pictures of (rows, columns) cells."""
    return min(MOST_BYTES, pictures * grid[0] * grid[1] * PATCH_BYTES)


class Patches:
    """The projected patches of the pictures of a fit, in their order.

    pictures, grid: the number of pictures, and the (rows, columns) of cells of the largest one
    """

    def __init__(self, pictures: int, grid: Size) -> None:
        self._edge = max(1, ceil(sqrt(pictures * grid[0] * grid[1] * PATCH_BYTES / MOST_BYTES)))
        self._projection: Tensor | None = None
        self._bands: list[list[Tensor]] = []

    def add(self, features: Features, top: int, left: int) -> None:
        """Takes a band of a stitched picture, [C,rows,w] each, as `Fitter.add` does; only the first feature counts."""
        band = features[0].float()
        if top == left == 0:
            self._bands.append([])
        if self._edge > 1:
            band = F.avg_pool2d(band[None], self._edge, ceil_mode=True, count_include_pad=False)[0]
        if self._projection is None:
            self._projection = _projection(len(band), band.device)
        projected = band.flatten(1).T @ self._projection  # [p,c]
        self._bands[-1].append(projected.clamp(-LARGEST, LARGEST).half().cpu())

    @property
    def pictures(self) -> int:
        """The number of pictures so far."""
        return len(self._bands)

    def unlike(self) -> list[int]:
        """The numbers of the pictures that look least like the rest, the most unlike first. Frees the patches."""
        pictures = []
        while self._bands:  # bands are freed as they are joined
            pictures.append(torch.cat(self._bands.pop(0)))
        if len(pictures) < FEWEST_PICTURES:
            return []
        return _beyond_fence(_trimmed_scores(pictures))


def _projection(channels: int, device: torch.device) -> Tensor:
    """Random directions [C,c], which do not depend on the seed of the training."""
    count = min(CHANNELS, channels)
    return torch.randn(channels, count, generator=Generator().manual_seed(0)).to(device) / sqrt(channels)


def _trimmed_scores(pictures: Sequence[Tensor]) -> Tensor:
    """The score of each picture [p,c] float16 by the trimmed fit: [n]."""
    sums = [_Sums.of(patches) for patches in pictures]
    kept = set(range(len(pictures)))
    keep = ceil((1 - TRIM) * len(pictures))
    scores = torch.zeros(len(pictures))
    for _ in range(STEPS):
        first, *others = sorted(kept)
        total = sums[first]
        for number in others:
            total = total + sums[number]
        scores = torch.tensor(
            [
                _score(patches, total - sums[number] if number in kept else total)
                for number, patches in enumerate(pictures)
            ]
        )
        best = set(scores.argsort(stable=True)[:keep].tolist())
        if best == kept:
            break
        kept = best
    return scores


def _score(patches: Tensor, sums: _Sums) -> float:
    """The mean of the largest Mahalanobis distances of patches [p,c] to the distribution with these sums."""
    mean = sums.first / sums.count
    covariance = sums.second / sums.count - torch.outer(mean, mean)
    ridge = RIDGE * float(covariance.diagonal().mean()) + torch.finfo(torch.float32).eps
    factor = torch.linalg.cholesky(covariance + ridge * torch.eye(len(mean), dtype=covariance.dtype))
    centred = patches.float() - mean.float()
    whitened = torch.linalg.solve_triangular(factor.float(), centred.T, upper=False)  # [c,p]
    lengths = torch.linalg.vector_norm(whitened, dim=0)
    return float(lengths.topk(max(1, ceil(HIGHEST * len(lengths)))).values.mean())


def _beyond_fence(scores: Tensor) -> list[int]:
    logarithms = scores.clamp(min=torch.finfo(torch.float32).tiny).log()
    low, high = torch.quantile(logarithms, torch.tensor([0.25, 0.75])).tolist()
    fence = high + FENCE * max(high - low, LEAST_RANGE)
    return [number for number in logarithms.argsort(descending=True).tolist() if logarithms[number] > fence]
