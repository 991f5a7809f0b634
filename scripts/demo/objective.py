"""What the demo's backbone learns from a layer's features, one term for each use that they will be put to.

The first is the detector's own question: is a cell's nearest neighbour among the ordinary cells of its picture farther
away than theirs are? The others keep the features rich enough to answer it: which marks are in each cell, and what
the texture is.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from scripts.demo.marks import KINDS
from scripts.demo.pictures import Batch
from scripts.demo.textures import FAMILIES

RARITY = 4.0  # weight of the few cells with a mark
FAR, NEAR = 1.0, 0.3  # natural logarithm of how much farther than usual an odd cell should, and an ordinary one may, be
SLOPE = 4.0


class Objective(nn.Module):
    """The loss of one layer, with the linear maps that read it."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.texture = nn.Linear(channels, len(FAMILIES) + 3)
        self.marks = nn.Conv2d(channels, KINDS, 1)

    def forward(self, features: Tensor, batch: Batch) -> Tensor:
        """How badly the features [n,channels,h,w] answer: a scalar."""
        marks = F.adaptive_max_pool2d(batch.marks.float(), features.shape[2:])  # [n,KINDS,h,w]
        told = F.binary_cross_entropy_with_logits(self.marks(features), marks, pos_weight=torch.tensor(RARITY))
        return 0.2 * self._texture_loss(features, batch) + told + neighbour_loss(features, marks.amax(1) > 0)

    def _texture_loss(self, features: Tensor, batch: Batch) -> Tensor:
        family, direction, scale = self.texture(features.mean((2, 3))).split([len(FAMILIES), 2, 1], dim=1)
        loss = F.cross_entropy(family, batch.family) + F.mse_loss(direction, batch.direction)
        return loss + 0.3 * F.mse_loss(scale[:, 0], batch.scale)


def neighbour_loss(features: Tensor, odd: Tensor) -> Tensor:
    """How far from right the cells' nearest neighbours are: a scalar, 0 if each odd cell is far from all ordinary ones.

    `odd`: [n,h,w] bool. Distances are compared with the usual one between ordinary cells of the same picture, so that
    the loss does not depend on the features' size. Features are averaged over 3x3 cells first, as PatchCore does.
    """
    cells = F.avg_pool2d(features, 3, 1, 1, count_include_pad=False).flatten(2).transpose(1, 2)  # [n,cells,channels]
    odd = odd.flatten(1)  # [n,cells]
    length = cells.square().sum(2)
    squared = (length[:, :, None] + length[:, None] - 2.0 * cells @ cells.transpose(1, 2)).clamp_min(1e-4)
    itself = torch.eye(cells.shape[1], dtype=torch.bool)
    nearest = squared.masked_fill(odd[:, None] | itself, 1e6).amin(2)
    away = 0.5 * nearest.log()  # [n,cells]: logarithm of the distance
    ordinary = (~odd).float()
    usual = (away * ordinary).sum(1, keepdim=True) / ordinary.sum(1, keepdim=True).clamp_min(1.0)
    enough = ordinary.sum(1, keepdim=True) > 4.0  # to compare with
    too_near = F.softplus(SLOPE * (FAR - (away - usual)))
    too_far = F.softplus(SLOPE * ((away - usual) - NEAR))
    return (_mean(too_near, odd & enough) + _mean(too_far, ~odd & enough)) / SLOPE


def _mean(values: Tensor, where: Tensor) -> Tensor:
    """The mean of the values there; 0 where there is none."""
    return (values * where).sum() / where.sum().clamp_min(1)
