"""Integers in the order of the floats that they stand for, so that ranges of values can be halved."""

import numpy as np
from numpy.typing import NDArray

Keys = NDArray[np.uint32]
SIGN = np.uint32(1 << 31)
END = 1 << 32
"""One more than any key."""


def to_keys(values: NDArray[np.float32]) -> Keys:
    """Keys that compare as the values do: equal floats, 0 and -0 among them, have equal keys. ValueError for NaN."""
    if np.isnan(values).any():
        raise ValueError("values that are not numbers have no order")
    bits = (values + np.float32(0)).view(np.uint32)  # -0 + 0 = 0
    return np.where(bits & SIGN, ~bits, bits | SIGN)


def to_values(keys: Keys) -> NDArray[np.float32]:
    """The floats that the keys stand for."""
    return np.where(keys & SIGN, keys & ~SIGN, ~keys).astype(np.uint32).view(np.float32)
