"""The comparison prefers better candidates, and earlier ones where the difference is within the error."""

import numpy as np
import pytest
from numpy.typing import NDArray

from app.training.selection.comparison import CLEAR, DrawnDefects, compare, telling

PICTURES, KINDS, GRADES = 8, 4, 8
OWNERS = np.repeat(np.arange(PICTURES), 10)
NUMBERS = np.arange(len(OWNERS))
TESTED = DrawnDefects(OWNERS, NUMBERS % KINDS, NUMBERS % GRADES)


def shares(level: float, noise: float = 0.0, seed: int = 0) -> NDArray[np.float64]:
    return np.random.default_rng(seed).normal(level, noise, (len(OWNERS), PICTURES))


def test_a_clearly_better_candidate_is_chosen_over_an_earlier_one() -> None:
    found = compare([shares(0.6, 0.05, 1), shares(0.8, 0.05, 2), shares(0.7, 0.05, 3)], TESTED, 0)
    assert found.chosen == 1
    assert found.means == pytest.approx((0.6, 0.8, 0.7), abs=0.02)
    assert found.errors[1] == 0
    assert 0 < found.errors[0] < 0.05


def test_the_earlier_of_equally_good_candidates_is_chosen() -> None:
    found = compare([shares(0.6, 0.4, 4), shares(0.64, 0.4, 5), shares(0.2)], TESTED, 0)
    assert found.means[0] < found.means[1] < found.means[0] + CLEAR * found.errors[0]
    assert found.chosen == 0
    assert compare([shares(0.2), shares(0.64, 0.4, 5), shares(0.6, 0.4, 4)], TESTED, 0).chosen == 1


def test_an_advantage_with_one_kind_of_defects_is_not_clear() -> None:
    one = shares(0.6, 0.02, 6)
    by_kind, everywhere = one.copy(), one + 0.1
    by_kind[TESTED.kinds == 2] += 0.4  # the same mean advantage
    assert compare([one, everywhere], TESTED, 0).chosen == 1
    found = compare([one, by_kind], TESTED, 0)
    assert found.means[1] == pytest.approx(found.means[0] + 0.1)
    assert found.chosen == 0


def test_grades_that_do_not_tell_candidates_apart_are_left_out() -> None:
    one, other = shares(0.7), shares(0.8)
    for each in (one, other):
        each[TESTED.grades == 3] = 1.0
        each[TESTED.grades == 5] = 0.5
    assert set(TESTED.grades[~telling([one, other], TESTED)].tolist()) == {3, 5}
    assert telling([shares(1.0), shares(1.0)], TESTED).all()


def test_defects_are_not_compared_with_their_own_picture() -> None:
    own = shares(0.5)
    own[NUMBERS, OWNERS] = 1.0
    assert compare([own], TESTED, 0).means == pytest.approx((0.5,))


def test_two_pictures_have_an_error() -> None:
    tested = DrawnDefects(np.array([0, 1]), np.array([0, 0]), np.array([0, 0]))
    found = compare([np.array([[0.0, 0.9], [0.1, 0.0]]), np.array([[0.0, 0.2], [0.9, 0.0]])], tested, 0)
    assert found.errors[0] > 0
    assert found.chosen == 0
