"""The order of blocks, and the time that is kept for an answer."""

import pytest
import torch

from app.pipeline import Roi
from app.service.partial import FIRST_S, FinishTimes, suspicion


def test_suspicion_is_the_mean_of_the_highest_values_in_the_rectangle() -> None:
    found = torch.zeros(20, 40)
    found[3, 7] = 5.0
    found[3, 8] = 3.0
    whole = Roi(0, 0, 80, 160)
    assert suspicion(found, Roi(0, 0, 40, 80), whole) == pytest.approx(4.0)  # the highest 2 of 200
    assert suspicion(found, Roi(8, 24, 8, 12), whole) == 5.0
    assert suspicion(found, Roi(40, 80, 40, 80), whole) == 0.0


def test_rectangles_are_placed_within_the_region_of_the_map_and_are_never_empty() -> None:
    found, seen = torch.zeros(5, 5), Roi(100, 200, 20, 20)
    found[4, 4] = 1.0
    assert suspicion(found, Roi(119, 219, 1, 1), seen) == 1.0
    assert suspicion(found, Roi(100, 200, 1, 1), seen) == 0.0
    assert suspicion(torch.ones(1, 1), Roi(119, 219, 1, 1), seen) == 1.0


def test_the_time_that_is_kept_for_an_answer_follows_the_slowest_of_the_latest() -> None:
    times = FinishTimes()
    first = times.expected_s(10**6, 0)
    assert first > FIRST_S and times.expected_s(10**6, 12) > first
    times.add(10**6, 0, 0.3)
    times.add(10**6, 0, 0.2)
    assert times.expected_s(10**6, 0) == 0.3
    assert times.expected_s(2 * 10**6, 0) == 0.6 and times.expected_s(10**5, 0) == 0.3
    assert times.expected_s(10**6, 12) == FinishTimes().expected_s(10**6, 12)  # nothing was measured that draws so much
    for _ in range(16):
        times.add(10**6, 0, 0.1)
    assert times.expected_s(10**6, 0) == pytest.approx(0.1)
