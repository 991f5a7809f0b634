"""Compares candidates by synthetic defects, and chooses one."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

REPLICATES = 1000
CLEAR = 2.0  # standard errors by which a candidate must be worse than the best to be passed over
EASY, HARD = 0.99, 0.55  # AUROCs; see `telling`
Shares = NDArray[np.float64]
"""[m,q]: for each defect, the share, 0 to 1, of the values of each normal picture that it exceeds."""


@dataclass(frozen=True, slots=True)
class DrawnDefects:
    """The synthetic defects by which candidates are compared; [m] each.

    owners: the numbers of the pictures that the defects were drawn into
    kinds, grades: the numbers of the kinds, and of the kinds with their contrasts
    """

    owners: NDArray[np.int64]
    kinds: NDArray[np.int64]
    grades: NDArray[np.int64]

    def of(self, chosen: NDArray[np.bool_]) -> "DrawnDefects":
        """A part of the defects."""
        return DrawnDefects(self.owners[chosen], self.kinds[chosen], self.grades[chosen])


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


def compare(candidates: Sequence[Shares], tested: DrawnDefects, seed: int) -> Comparison:
    """Chooses the first candidate that is not clearly worse than the best.

    Candidates are measured by the same defects in the same pictures, so the error is that of differences. A bootstrap
    over the pictures with defects, the pictures without, and the kinds of defects estimates it. Kinds are drawn, too,
    because real defects are of yet another kind: a difference counts if most kinds agree in it. Defects are not
    compared with their own picture, which they nearly always exceed.
    """
    shares = np.stack(candidates)  # [k,m,q]
    pictures, kinds = shares.shape[2], int(tested.kinds.max()) + 1
    rng = np.random.default_rng(seed)
    with_defect, normal = rng.multinomial(pictures, np.full(pictures, 1 / pictures), (2, REPLICATES)).astype(float)
    of_kind = rng.multinomial(kinds, np.full(kinds, 1 / kinds), REPLICATES).astype(float)
    one = np.ones((1, pictures))
    means = _means(shares, tested, one, one, np.ones((1, kinds)))[0]
    replicates = _means(shares, tested, with_defect, normal, of_kind)
    best = int(means.argmax())
    errors = (replicates - replicates[:, best : best + 1]).std(0)
    chosen = int(np.argmax(means >= means[best] - CLEAR * errors))
    return Comparison(tuple(map(float, means)), tuple(map(float, errors)), chosen)


def telling(candidates: Sequence[Shares], tested: DrawnDefects) -> NDArray[np.bool_]:
    """[m]: the defects of grades that some candidates find and others do not.

    A grade that all candidates find always, or none better than by chance, only adds noise. All defects, if there is no
    other grade.
    """
    shares = np.stack(candidates)
    apart = tested.owners[:, None] != np.arange(shares.shape[2])
    found = (shares * apart).sum(2) / apart.sum(1)  # [k,m]
    chosen = np.zeros(len(tested.grades), bool)
    for grade in np.unique(tested.grades):
        own = tested.grades == grade
        means = found[:, own].mean(1)
        chosen |= own & bool(means.min() < EASY and means.max() > HARD)
    return chosen if chosen.any() else ~chosen


def _means(
    shares: NDArray[np.float64],
    tested: DrawnDefects,
    with_defect: NDArray[np.float64],
    normal: NDArray[np.float64],
    kinds: NDArray[np.float64],
) -> NDArray[np.float64]:
    """[r,k]: the candidates' means if pictures and kinds count as often as the last three, [r,.] each, say."""
    apart = (tested.owners[:, None] != np.arange(shares.shape[2])).astype(float)  # [m,q]
    weights = with_defect[:, tested.owners] * kinds[:, tested.kinds]  # [r,m]
    totals = (weights * (normal @ apart.T)).sum(1)
    some = totals > 0
    found = np.stack([((weights @ (own * apart)) * normal).sum(1) for own in shares], 1)
    means: NDArray[np.float64] = found[some] / totals[some, None]
    return means
