import numpy as np
from numpy.typing import NDArray

from app.scoring.curve import CELLS, thin, thin_along


def rising(seed: int, count: int) -> NDArray[np.float64]:
    """A curve from (0, 0) to (1, 1) that rises along both axes."""
    steps = np.random.default_rng(seed).random((count, 2)).cumsum(0)
    return np.asarray((steps - steps[0]) / (steps[-1] - steps[0]))


def test_a_thinned_curve_keeps_its_ends_and_stays_close() -> None:
    for seed in range(20):
        curve = rising(seed, 20_000)
        thinned = thin(curve)
        assert len(thinned) <= 2 * CELLS + 2
        assert thinned[0].tolist() == [0, 0]
        assert thinned[-1].tolist() == [1, 1]
        drawn = np.interp(curve[:, 0], thinned[:, 0], thinned[:, 1])
        assert np.abs(drawn - curve[:, 1]).max() < 2 / CELLS


def test_a_curve_that_grows_block_by_block_keeps_the_same_points() -> None:
    curve = rising(0, 9000)
    grown = np.empty((0, 2))
    for start in range(0, 9000, 700):
        grown = thin(np.concatenate([grown, curve[start : start + 700]]))
    np.testing.assert_array_equal(grown, thin(curve))


def test_few_points_are_all_kept() -> None:
    curve = np.array([[0.0, 1.0], [0.2, 0.5], [0.9, 0.7], [1.0, 0.1]])
    np.testing.assert_array_equal(thin_along(curve), curve)
    assert thin_along(np.empty((0, 2))).shape == (0, 2)


def test_the_other_axis_may_fall_when_thinning_along_one() -> None:
    recall = np.linspace(0, 1, 5000)
    thinned = thin_along(np.stack([recall, np.cos(recall * 30) ** 2], 1))
    assert len(thinned) <= CELLS + 2
    assert (np.diff(thinned[:, 0]) > 0).all()
