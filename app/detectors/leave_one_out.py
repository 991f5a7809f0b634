"""The Mahalanobis distance of a sample to the Gaussian of the other samples.

Leaving out a sample is a change of rank one of the covariance, so that the formula of Sherman and Morrison (1950,
doi:10.1214/aoms/1177729893) replaces a new decomposition. Let n samples have the mean m and the regularised covariance
A = S / (n - 1) + e I with the scatter S, and let d = x - m for one of them. Without x,

    d' = x - m' = n / (n - 1) d
    S' = S - n / (n - 1) d d^T
    A' = S' / (n - 2) + e I = (n - 1) / (n - 2) (A - n / (n - 1)^2 d d^T - e / (n - 1) I)

With q = d^T A^-1 d, the first two terms of A' alone give

    d'^T A'^-1 d' = n^2 (n - 2) / (n - 1)^3 q / (1 - n q / (n - 1)^2)

The third term adds to this at most the factor (n - 1) / (n - 2), because A' >= e I. The factor is reached along
directions in which the other samples do not vary, which hold most of the distance if the samples are fewer than the
channels. It is applied always: the distance is never too small, and at most sqrt((n - 1) / (n - 2)) times the true one.
"""

import torch
from torch import Tensor


def distances_to_others(distances: Tensor, count: Tensor) -> Tensor:
    """Distances of the values of one of `count` samples (2 or more) to the Gaussians of all samples -> of the others.

    count: for each distance, float64; infinite where the sample is not one of them, so that the distance stays
    With two samples, the other one has no covariance besides its regularisation.
    """
    squares = distances.double().square()
    inverse = 1 / count
    rest = 1 - squares * (inverse / (1 - inverse) ** 2)
    rest.clamp_(min=torch.finfo(torch.float32).eps)  # rounding must not make it 0
    others: Tensor = (squares / rest).sqrt_().div_(1 - inverse).to(distances.dtype)
    return others
