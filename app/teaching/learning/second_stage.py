"""Fits a second stage to the patches of reviewed pictures: one for the candidate, and one without each fold.

The regression separates patches of confirmed defects from patches of harmless pictures. Each picture with a defect
counts alike, and both kinds together count alike. Its ridge is the covariance of usual patches, shrunk, so that
directions in which normal patches vary much need more evidence.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from app.detectors import SecondStage
from app.teaching.learning.logistic import logistic_regression
from app.teaching.learning.picks import Picks

FOLDS = 10
RIDGE = 0.1
SHRINKAGE = 0.05
"""The share of the mean variance of a channel that is added to each variance."""


@dataclass(frozen=True, slots=True)
class SecondStages:
    """Second stages of one set of pictures, which are numbered.

    whole: fitted to all pictures
    folds: each fitted without one fold
    fold_of: the fold of each picture; pictures without patches have none
    """

    whole: SecondStage
    folds: tuple[SecondStage, ...]
    fold_of: Mapping[int, int]

    def without(self, picture: int) -> SecondStage:
        """One that was not fitted to this picture."""
        fold = self.fold_of.get(picture)
        return self.whole if fold is None else self.folds[fold]


def fit_second_stages(picks: Mapping[int, Picks]) -> SecondStages:
    """The second stages of pictures, by their numbers. Each fold has a tenth of the pictures of each kind."""
    kinds = (
        [number for number, each in picks.items() if len(each.defect)],
        [number for number, each in picks.items() if len(each.usual)],
    )
    fold_of = {number: place * FOLDS // len(kind) for kind in kinds for place, number in enumerate(kind)}
    folds = tuple(
        _fitted(each for number, each in picks.items() if fold_of.get(number) != fold) for fold in range(FOLDS)
    )
    return SecondStages(_fitted(picks.values()), folds, fold_of)


def _fitted(picks: Iterable[Picks]) -> SecondStage:
    pictures = list(picks)
    defects = [each.defect for each in pictures if len(each.defect)]
    harmless = torch.cat([part for each in pictures for part in (each.farthest, each.usual)])
    usual = torch.cat([each.usual for each in pictures]).double()
    centre = usual.mean(0)
    weights = [torch.full((len(each),), 1 / (len(each) * len(defects)), dtype=torch.float64) for each in defects]
    weights.append(torch.full((len(harmless),), 1 / len(harmless), dtype=torch.float64))
    patches = torch.cat([*defects, harmless]).double() - centre  # so that the bias is well determined
    sides = torch.ones(len(patches))
    sides[-len(harmless) :] = -1
    weight, bias = logistic_regression(patches, sides, torch.cat(weights), RIDGE * _shrunk_covariance(usual))
    return SecondStage.of(weight, bias - weight @ centre)


def _shrunk_covariance(patches: Tensor) -> Tensor:
    """The covariance [C,C] of patches [n,C] float64, with some more variance of each channel."""
    covariance = patches.T.cov()
    added = (SHRINKAGE * covariance.diagonal().mean()).clamp(min=torch.finfo(torch.float32).tiny)
    return covariance + added * torch.eye(len(covariance), dtype=torch.float64)
