import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.scoring import recall_threshold

FLOATS = st.floats(0.125, 8, width=16)


@given(st.lists(st.tuples(FLOATS, st.booleans()), min_size=1, max_size=20), st.integers(1, 20))
def test_no_higher_value_would_find_enough(pairs: list[tuple[float, bool]], twentieths: int) -> None:
    values, labels = [value for value, _ in pairs], [label for _, label in pairs]
    positive = [value for value, label in pairs if label]
    recall = twentieths / 20
    if not positive:
        with pytest.raises(ValueError, match="no anomalous"):
            recall_threshold(values, labels, recall)
        return
    threshold = recall_threshold(values, labels, recall)
    found = [value for value in positive if value > threshold]
    assert 20 * len(found) >= twentieths * len(positive)
    assert all(value <= threshold or value >= min(found) for value in values)  # the same verdicts as just below it
    assert 20 * sum(value > min(found) for value in positive) < twentieths * len(positive)


def test_the_threshold_lies_between_the_last_found_value_and_the_next() -> None:
    assert recall_threshold([1, 2, 4, 8], [False, False, True, True], 1) == 3
    assert recall_threshold([1, 2, 4, 8], [False, False, True, True], 0.5) == 6
    assert recall_threshold([0.7 * n for n in range(1, 11)], [True] * 10, 0.7) == pytest.approx(0.7 * 3.5)
