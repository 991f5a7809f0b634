import numpy as np
import pytest

from app.scoring import HighLevel


def test_the_level_is_the_percentile_of_all_values() -> None:
    maps = np.random.default_rng(0).gamma(2, 5, (7, 120, 131)).astype(np.float32)
    high = HighLevel()
    for each in maps:
        high.add(each)
    exact = float(np.quantile(maps, 0.999, method="inverted_cdf"))
    assert high.value is not None
    assert exact <= high.value <= exact * 1.001
    assert (maps > high.value).mean() <= 0.001


def test_a_level_of_zeros_is_more_than_zero_and_of_nothing_unknown() -> None:
    high = HighLevel()
    assert high.value is None
    high.add(np.array([[-1, 0], [0, 0]], np.float32))
    assert high.value == pytest.approx(1e-12)
