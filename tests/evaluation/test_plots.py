import numpy as np
import pytest

from app.evaluation.report.plots import (
    BINS,
    HALF,
    LEAST,
    SIDE,
    WIDTH,
    decade_path,
    decade_ticks,
    dot,
    histogram,
    line_path,
    step_path,
)


def test_a_line_goes_through_its_points() -> None:
    assert line_path([[0, 0], [0.25, 1]]) == "M0 240L60 0"


def test_each_precision_holds_from_the_previous_recall() -> None:
    assert step_path([[0.5, 1.0], [1.0, 0.5]]) == "M0 0V0H120V120H240"
    assert step_path([]) == line_path([]) == ""


def test_powers_of_ten_are_equally_far_apart() -> None:
    assert [(tick.at, tick.text) for tick in decade_ticks(-2, 0)] == [(SIDE, "1 %"), (SIDE / 2, "10 %"), (0, "100 %")]
    assert decade_path([0.1, None, 1e-9], -2, 0) == f"M{SIDE / 6:g} {SIDE / 2:g}L{5 * SIDE / 6:g} {SIDE}"
    assert decade_path([None], -2, 0) == ""


def test_an_unknown_point_is_not_drawn() -> None:
    assert dot(None, 0.5) is None
    assert dot(0.5, 0.25) == (SIDE * 0.5, SIDE * 0.75)


@pytest.mark.parametrize(("normal_count", "anomalous_count"), [(50, 20), (1000, 3), (1, 0), (0, 2)])
def test_a_histogram_holds_all_scores_and_counts_them(normal_count: int, anomalous_count: int) -> None:
    random = np.random.default_rng(0)
    normal, anomalous = random.random(normal_count).tolist(), [1.0] * anomalous_count
    found = histogram(normal, anomalous)
    highest = max(np.histogram(normal, BINS, (0, 1))[0].max(), anomalous_count)
    assert sum(round(bar.height * highest / HALF) for bar in found.normal) == normal_count
    assert len(found.anomalous) == bool(anomalous_count)
    assert all(bar.height >= LEAST for bar in (*found.normal, *found.anomalous))
    assert all(bar.y + bar.height == pytest.approx(HALF, abs=0.02) for bar in found.normal)
    assert all(bar.y == HALF for bar in found.anomalous)
    assert all(0 <= bar.x <= WIDTH - bar.width for bar in (*found.normal, *found.anomalous))
    upwards = {tick.text: tick.at for tick in found.counts if tick.at <= HALF}
    assert 2 <= len(upwards) <= 6
    for text, at in upwards.items():
        assert at == pytest.approx(HALF - HALF * int(text) / highest, abs=0.01)


def test_the_highest_score_is_in_the_last_bar() -> None:
    (bar,) = histogram([], [1.0, 1.0]).anomalous
    assert bar.x + bar.width == pytest.approx(WIDTH - 1)
