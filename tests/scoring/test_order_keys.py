import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from app.scoring import to_keys, to_values

floats = arrays(np.float32, st.integers(1, 30), elements=st.floats(width=32, allow_nan=False))


@given(floats)
def test_keys_have_the_order_of_the_values_and_can_be_reverted(
    values: np.ndarray[tuple[int], np.dtype[np.float32]],
) -> None:
    keys = to_keys(values)
    np.testing.assert_array_equal(to_values(keys), values)
    np.testing.assert_array_equal(np.sign(keys[:, None] - keys[None].astype(np.int64)), compared(values))


def compared(values: np.ndarray[tuple[int], np.dtype[np.float32]]) -> np.ndarray[tuple[int, ...], np.dtype[np.int8]]:
    above, below = values[:, None] > values[None], values[:, None] < values[None]
    return above.astype(np.int8) - below.astype(np.int8)


def test_nan_has_no_key() -> None:
    with pytest.raises(ValueError, match="no order"):
        to_keys(np.array([1, np.nan], np.float32))
