"""Integer keys in the order of float32 values, so that ranges of values can be bisected."""

import numpy as np
from numpy.typing import NDArray

Keys = NDArray[np.uint32]
SIGN = np.uint32(1 << 31)
END = 1 << 32
"""One more than the largest possible key."""


def to_keys(values: NDArray[np.float32]) -> Keys:
    """The keys of the values. Equal values, also 0 and -0, have equal keys. Raises ValueError for NaN."""
    if np.isnan(values).any():
        raise ValueError("the values contain NaN, which has no order")
    bits = (values + np.float32(0)).view(np.uint32)  # -0 + 0 = 0
    return np.where(bits & SIGN, ~bits, bits | SIGN)


def to_values(keys: Keys) -> NDArray[np.float32]:
    """The values of the keys; the key of -0 gives 0."""
    return np.where(keys & SIGN, keys & ~SIGN, ~keys).astype(np.uint32).view(np.float32)
