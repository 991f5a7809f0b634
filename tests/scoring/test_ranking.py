import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.scoring import Steps, Totals, rank, steps_of, totals_of
from tests.scoring import naive

labelled = st.lists(st.tuples(st.integers(-4, 4), st.booleans()), min_size=2, max_size=60).filter(
    lambda pairs: len({anomalous for _, anomalous in pairs}) == 2
)


@given(labelled)
def test_metrics_follow_their_definitions_with_ties(pairs: list[tuple[int, bool]]) -> None:
    scores, anomalous = np.array([each[0] for each in pairs]) / 2, np.array([each[1] for each in pairs])
    found = rank([steps_of(scores, anomalous)], totals_of(anomalous))
    f1, threshold = naive.best_f1(scores, anomalous)
    assert found.auroc == pytest.approx(naive.pairwise_auroc(scores, anomalous), abs=1e-12)
    assert found.average_precision == pytest.approx(naive.average_precision(scores, anomalous), abs=1e-12)
    assert found.best_f1.f1 == pytest.approx(f1, abs=1e-12)
    assert found.best_f1.threshold == threshold
    taken = scores >= found.best_f1.threshold
    assert found.best_f1.precision == (taken & anomalous).sum() / taken.sum()
    assert found.best_f1.recall == (taken & anomalous).sum() / anomalous.sum()


@given(labelled)
def test_metrics_depend_only_on_the_order(pairs: list[tuple[int, bool]]) -> None:
    """A sigmoid would make all large scores equal."""
    scores, anomalous = np.array([each[0] for each in pairs]), np.array([each[1] for each in pairs])
    ranks = rank([steps_of(scores, anomalous)], totals_of(anomalous))
    stretched = rank([steps_of(np.exp(5.0 * scores) + 18, anomalous)], totals_of(anomalous))
    assert (ranks.auroc, ranks.average_precision) == (stretched.auroc, stretched.average_precision)


def test_areas_are_exact_for_more_pairs_than_fit_into_64_bits() -> None:
    half = 2**31
    steps = Steps(
        np.array([2.0, 1.0]),
        np.array([half, half]),
        np.array([0, 2**60]),
        np.array([0, 0]),
        np.zeros(2),
    )
    assert rank([steps], Totals(2**60, 2**32)).auroc == 0.75


def test_curves_are_thinned_and_areas_are_not() -> None:
    random = np.random.default_rng(0)
    anomalous = random.random(200_000) < 0.4
    scores = random.normal(anomalous, 1)
    found = rank([steps_of(scores, anomalous)], totals_of(anomalous))
    assert len(found.roc) <= 1000
    assert len(found.precision_recall) <= 1000
    assert found.roc[0].tolist() == [0, 0]
    assert found.roc[-1].tolist() == [1, 1]
    assert found.precision_recall[-1, 0] == 1
    assert (np.diff(found.roc, axis=0) >= 0).all()
    assert np.trapezoid(found.roc[:, 1], found.roc[:, 0]) == pytest.approx(found.auroc, abs=2e-3)


@pytest.mark.parametrize("label", [True, False])
def test_a_ranking_needs_both_labels(label: bool) -> None:
    with pytest.raises(ValueError, match="anomalous"):
        rank([steps_of([1.0, 2.0], [label, label])], totals_of([label, label]))


def test_scores_that_are_not_numbers_are_refused() -> None:
    with pytest.raises(ValueError, match="no order"):
        steps_of([np.nan, 2.0], [True, False])
