"""The synthetic defects by which candidates are compared."""

from dataclasses import replace
from itertools import product

import numpy as np
import torch
from torch import Generator

from app.synthesis import KINDS, Defect
from app.training.selection.comparison import DrawnDefects

DIAMETERS = (8, 16, 32, 64, 128)
"""In pixels of the picture. Smaller defects are found so seldom that they would prefer the finest features to those
that find most.
"""
CONTRASTS = (1.0, 2.0, 4.0)
DEFECTS = len(KINDS) * len(DIAMETERS) * len(CONTRASTS)
LARGEST_SHARE = 0.3  # of the shorter edge: larger diameters are not tried
SMALLEST = 4  # the diameter in pictures that are too small for all others


def planned(count: int, generator: Generator) -> list[Defect]:
    """`count` defects: every kind, diameter and contrast about equally often, in random order."""
    every = [Defect(kind, size, contrast) for kind, size, contrast in product(KINDS, DIAMETERS, CONTRASTS)]
    order = torch.randperm(len(every), generator=generator).tolist()
    return [every[order[number % len(every)]] for number in range(count)]


def fitting(defect: Defect, height: int, width: int) -> Defect:
    """The defect, or a smaller one of its kind if it is too large for a picture of this size."""
    sizes = [size for size in DIAMETERS if size <= LARGEST_SHARE * min(height, width)] or [SMALLEST]
    if defect.diameter in sizes:
        return defect
    return replace(defect, diameter=sizes[DIAMETERS.index(defect.diameter) % len(sizes)])


def tested(drawn: list[tuple[int, Defect]]) -> DrawnDefects:
    """The defects as a comparison takes them, with the numbers of their pictures."""
    kinds, grades = list(KINDS), list(product(KINDS, CONTRASTS))
    return DrawnDefects(
        np.array([owner for owner, _ in drawn]),
        np.array([kinds.index(defect.kind) for _, defect in drawn]),
        np.array([grades.index((defect.kind, defect.contrast)) for _, defect in drawn]),
    )
