"""A high percentile of the values of many maps, in constant memory."""

import numpy as np
from numpy.typing import NDArray

from app.scoring.calibration import LEAST

SHARE = 0.001
"""The share of the values that exceed the level: those over the 99.9th percentile."""
DROPPED_BITS = 13
"""Values that differ only in these bits of the mantissa are counted together: a level is 0.1 % too high at most."""
COUNTED_AT_ONCE = 2**22


class HighLevel:
    """Counts values by their upper bits. The bits of floats of 0 or more, as integers, have the order of the values."""

    def __init__(self) -> None:
        self._counts = np.zeros(2 ** (31 - DROPPED_BITS), np.int64)

    def add(self, values: NDArray[np.float32]) -> None:
        """Counts values of any shape; those under 0 count as 0."""
        flat = values.reshape(-1)
        for first in range(0, flat.size, COUNTED_AT_ONCE):
            part = np.maximum(flat[first : first + COUNTED_AT_ONCE], np.float32(0))
            self._counts += np.bincount(part.view(np.int32) >> DROPPED_BITS, minlength=len(self._counts))

    @property
    def value(self) -> float | None:
        """The smallest value that a share of at most SHARE exceeds, rounded up by 0.1 % at most, and at least LEAST.

        None: no values were counted.
        """
        total = int(self._counts.sum())
        if not total:
            return None
        above = np.cumsum(self._counts[::-1])[::-1] - self._counts  # the number of values in higher bins, for each bin
        bin_ = int(np.argmax(above <= SHARE * total))
        return max(float(np.int32(((bin_ + 1) << DROPPED_BITS) - 1).view(np.float32)), LEAST)
