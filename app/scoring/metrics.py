"""How well scores tell anomalous from normal: exact, by sorting."""

import numpy as np
from numpy.typing import ArrayLike


def auroc(scores: ArrayLike, anomalous: ArrayLike) -> float:
    """Area under the ROC curve, in [0, 1]: how often an anomalous value exceeds a normal one, ties counting half.

    `scores` [n] float, `anomalous` [n] bool. Raises ValueError unless both kinds are there.
    """
    values, labels = np.asarray(scores).ravel(), np.asarray(anomalous, dtype=bool).ravel()
    positives = int(labels.sum())
    negatives = len(labels) - positives
    if not positives or not negatives:
        raise ValueError("a ROC curve needs normal and anomalous values")
    order = np.argsort(values, kind="stable")
    values, labels = values[order], labels[order]
    ends = np.append(np.flatnonzero(np.diff(values)), len(values) - 1)  # the last of each run of equal values
    below = np.cumsum(~labels)[ends]  # normal values up to each run's end
    found = np.diff(np.cumsum(labels, dtype=np.int64)[ends], prepend=0)  # anomalous values in each run
    tied = np.diff(below, prepend=0)
    return float(np.sum(found * (below - tied / 2)) / positives / negatives)
