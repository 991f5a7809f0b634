"""A linear second stage: what confirmed defects look like, as one number for each patch.

The first stage says how far a patch is from normal ones. The second stage says whether it looks like the confirmed
defects, or like harmless patches that are far from normal ones, and raises the distance by a bounded factor. It lowers
no distance, because it extrapolates: a defect of another kind may look like what was harmless.
"""

from math import log

import torch
from torch import Tensor, nn

MOST_FACTOR = 4.0
"""The largest factor of a distance of a new second stage."""


class SecondStage(nn.Module):
    """Factors of distances, 1 or more, from the log odds of a logistic regression.

    The factor is the largest one to the power of the log odds, limited to 0 and 1. Patches that look rather like
    harmless ones keep their distances.
    """

    weight: Tensor  # [C]
    bias: Tensor  # scalar
    log_factor: Tensor  # scalar, the logarithm of the largest factor

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.register_buffer("weight", torch.zeros(channels))
        self.register_buffer("bias", torch.zeros(()))
        self.register_buffer("log_factor", torch.tensor(log(MOST_FACTOR)))

    @classmethod
    def of(cls, weight: Tensor, bias: Tensor) -> "SecondStage":
        """That of a regression, `weight` [C]."""
        stage = cls(len(weight))
        stage.weight, stage.bias = weight.float(), bias.float()
        return stage.eval()

    def forward(self, patches: Tensor) -> Tensor:
        """The factors [p] of patches [p,C]."""
        odds = patches.float() @ self.weight + self.bias
        return torch.exp(self.log_factor * odds.clamp(0, 1))
