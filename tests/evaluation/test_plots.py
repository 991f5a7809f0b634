import numpy as np
import pytest

from app.evaluation.report.plots import HALF, SIDE, WIDTH, dot, histogram, line_path, step_path


def test_a_line_goes_through_its_points() -> None:
    assert line_path([[0, 0], [0.25, 1]]) == "M0 240L60 0"


def test_each_precision_holds_from_the_previous_recall() -> None:
    assert step_path([[0.5, 1.0], [1.0, 0.5]]) == "M0 0V0H120V120H240"
    assert step_path([]) == line_path([]) == ""


def test_an_unknown_point_is_not_drawn() -> None:
    assert dot(None, 0.5) is None
    assert dot(0.5, 0.25) == (SIDE * 0.5, SIDE * 0.75)


@pytest.mark.parametrize(("low", "high"), [(0, 1), (18, 23.5), (-3, 1e6), (1e-9, 3e-9), (7, 7)])
def test_a_histogram_holds_all_scores_and_the_threshold(low: float, high: float) -> None:
    random = np.random.default_rng(0)
    normal, anomalous = random.uniform(low, high, 50).tolist(), random.uniform(low, high, 20).tolist()
    found = histogram(normal, anomalous, high)
    assert 0 <= found.threshold <= WIDTH
    assert 2 <= len(found.ticks) <= 12
    assert all(0 <= tick.at <= WIDTH for tick in found.ticks)
    unit = min(bar.height for bar in (*found.normal, *found.anomalous))
    drawn = [round(sum(bar.height for bar in bars) / HALF, 6) for bars in (found.normal, found.anomalous)]
    assert drawn[0] / drawn[1] == pytest.approx(50 / 20, rel=0.01)
    assert unit > 0
    assert all(bar.y + bar.height == pytest.approx(HALF, abs=0.02) for bar in found.normal)
    assert all(bar.y == HALF for bar in found.anomalous)


def test_scores_of_one_label_alone_are_drawn() -> None:
    assert histogram([1.0], [], 2.0).anomalous == ()
    assert histogram([], [1.0, 1.0], 1.0).normal == ()
