"""Metrics of labelled scores: exact, by sorting."""

import numpy as np
from numpy.typing import ArrayLike

from app.scoring.ranking import rank
from app.scoring.steps import steps_of, totals_of


def auroc(scores: ArrayLike, anomalous: ArrayLike) -> float:
    """The area under the ROC curve, in [0, 1]: how often an anomalous value exceeds a normal value, ties counting half.

    `scores` [n] of any real type, `anomalous` [n] bool. Raises ValueError for NaN, and unless there are normal and
    anomalous values.
    """
    labels = np.asarray(anomalous, dtype=bool)
    return rank([steps_of(scores, labels)], totals_of(labels)).auroc
