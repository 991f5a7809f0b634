"""Logistic regression with a ridge, by Newton's method, in float64: the same numbers give the same result."""

import torch
from torch import Tensor
from torch.nn import functional as F

MOST_STEPS = 50
HALVINGS = 30
SMALLEST_GAIN = 1e-10
"""The steps end when a step is expected to lower the loss by less than this."""


def logistic_regression(patches: Tensor, sides: Tensor, weights: Tensor, ridge: Tensor) -> tuple[Tensor, Tensor]:
    """The weight [C] and the bias, a scalar, float64, of the log odds of patches [n,C].

    sides: [n], 1 for defects and -1 for harmless patches
    weights: [n], of each patch in the loss
    ridge: [C,C], positive definite; half the quadratic form of the weight is added to the loss
    """
    rows = torch.cat([patches.double(), torch.ones(len(patches), 1, dtype=torch.float64)], 1)
    penalty = torch.zeros(rows.shape[1], rows.shape[1], dtype=torch.float64)
    penalty[:-1, :-1] = ridge
    sides, weights = sides.double(), weights.double()

    def loss_at(found: Tensor) -> Tensor:
        return weights @ F.softplus(-sides * (rows @ found)) + found @ penalty @ found / 2

    found = torch.zeros(rows.shape[1], dtype=torch.float64)
    loss = loss_at(found)
    for _ in range(MOST_STEPS):
        wrong = torch.sigmoid(-sides * (rows @ found))
        gradient = penalty @ found - rows.T @ (weights * sides * wrong)
        curvature = (rows * (weights * wrong * (1 - wrong))[:, None]).T @ rows + penalty
        step = torch.linalg.solve(curvature, gradient)
        if float(gradient @ step) < SMALLEST_GAIN:
            break
        for halving in range(HALVINGS):
            tried = found - step / 2**halving
            lower = loss_at(tried)
            if bool(lower < loss):
                break
        else:
            break
        found, loss = tried, lower
    return found[:-1], found[-1]
