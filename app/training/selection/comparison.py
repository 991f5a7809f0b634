"""Compares candidates by synthetic defects, and chooses one."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

REPLICATES = 1000
Pairs = NDArray[np.float64]
"""[p,q]: sums over the defects in picture p; each adds the share, 0 to 1, of picture q's values that it exceeds."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """The candidates' results.

    means: the mean over all defects, and all pictures other than a defect's own, in [0, 1]: an AUROC
    errors: the standard error of each candidate's distance to the best
    chosen: the number of the candidate to take
    """

    means: tuple[float, ...]
    errors: tuple[float, ...]
    chosen: int


def compare(candidates: Sequence[Pairs], defects: NDArray[np.int64], seed: int) -> Comparison:
    """Chooses the first candidate that is at most one standard error worse than the best.

    `defects` [p] is the number of defects in each picture. Candidates are measured by the same defects in the same
    pictures, so the error is that of differences, by a bootstrap over pictures: those with defects, and those without,
    are drawn apart. Defects are not compared with their own picture, which they nearly always exceed.
    """
    sums = np.stack(candidates)  # [k,p,q]
    count = len(defects)
    apart = ~np.eye(count, dtype=bool)
    draws = np.random.default_rng(seed).multinomial(count, np.full(count, 1 / count), (2, REPLICATES))
    means = _means(sums, defects, apart, np.ones((2, 1, count)))[0]
    replicates = _means(sums, defects, apart, draws.astype(float))
    best = int(means.argmax())
    errors = (replicates - replicates[:, best : best + 1]).std(0)
    chosen = int(np.argmax(means >= means[best] - errors))
    return Comparison(tuple(map(float, means)), tuple(map(float, errors)), chosen)


def _means(
    sums: NDArray[np.float64], defects: NDArray[np.int64], apart: NDArray[np.bool_], counts: NDArray[np.float64]
) -> NDArray[np.float64]:
    """[r,k]: the candidates' means if pictures count as often as `counts` [2,r,p] says, with and without defects."""
    weights = counts[0, :, :, None] * counts[1, :, None, :] * apart
    totals = (weights * defects[:, None]).sum((1, 2))
    some = totals > 0
    found: NDArray[np.float64] = np.einsum("rpq,kpq->rk", weights[some], sums) / totals[some, None]
    return found
