import numpy as np
import pytest
from numpy.typing import NDArray

from app.scoring import percentiles, rank, resamples, steps_of, totals_of, weighted_aupro, weighted_ranking
from app.scoring.resampling import weighted_confusion, weighted_steps
from tests.scoring import naive

LABELS = np.arange(60) % 4 == 0
SCORES = np.round(np.random.default_rng(1).normal(size=60) + LABELS, 1)


def test_a_resample_has_as_many_pictures_of_each_label() -> None:
    drawn = np.concatenate(list(resamples(LABELS, 700)))
    assert drawn.shape == (700, 60)
    assert (drawn[:, LABELS].sum(1) == 15).all()
    assert (drawn[:, ~LABELS].sum(1) == 45).all()
    assert drawn.mean(0) == pytest.approx(1, abs=0.2)
    assert (drawn == np.concatenate(list(resamples(LABELS, 700)))).all()


def test_metrics_of_a_resample_are_those_of_its_pictures() -> None:
    weights = next(resamples(LABELS))[:5]
    found = weighted_ranking(*weighted_steps(SCORES, LABELS, weights))
    for number, weight in enumerate(weights.astype(int)):
        scores, labels = np.repeat(SCORES, weight), np.repeat(LABELS, weight)
        assert found["auroc"][number] == pytest.approx(naive.pairwise_auroc(scores, labels))
        assert found["average_precision"][number] == pytest.approx(naive.average_precision(scores, labels))
        assert found["best_f1"][number] == pytest.approx(naive.best_f1(scores, labels)[0])


def test_unit_weights_give_the_exact_ranking() -> None:
    found = weighted_ranking(*weighted_steps(SCORES, LABELS, np.ones((1, 60))))
    expected = rank([steps_of(SCORES, LABELS)], totals_of(LABELS))
    assert found["auroc"][0] == pytest.approx(expected.auroc)
    assert found["average_precision"][0] == pytest.approx(expected.average_precision)
    assert found["best_f1"][0] == pytest.approx(expected.best_f1.f1)


def test_a_resample_without_a_label_has_no_ranking() -> None:
    weights = np.where(LABELS, 0.0, 1.0)[None]
    assert np.isnan(weighted_ranking(*weighted_steps(SCORES, LABELS, weights))["auroc"]).all()
    found = weighted_confusion(*(np.array([value]) for value in (0.0, 3.0, 0.0, 12.0)))
    assert np.isnan(found["recall"]).all()
    assert found["false_positive_rate"].tolist() == [0.25]


@pytest.mark.parametrize("limit", [0.05, 0.3, 1.0])
def test_overlap_is_averaged_up_to_the_limit(limit: float) -> None:
    random = np.random.default_rng(2)
    maps: list[NDArray[np.floating]] = [random.random((6, 6)).round(1)]
    masks = [np.zeros((6, 6), bool)]
    masks[0][1:3, 1:4], masks[0][5, 5] = True, True
    values = np.unique(maps[0])[::-1]
    regions = [masks[0] & (np.arange(36).reshape(6, 6) < 30), masks[0] & (np.arange(36).reshape(6, 6) >= 30)]
    false = np.array([[(maps[0][~masks[0]] == value).sum() for value in values]], float)
    overlap = np.array([[sum((maps[0][each] == value).mean() for each in regions) for value in values]])
    assert weighted_aupro(false, overlap, np.array([2.0]), limit)[0] == pytest.approx(naive.aupro(maps, masks, limit))


def test_percentiles_leave_out_what_is_undefined() -> None:
    assert percentiles([np.nan, *range(101)]) == pytest.approx((2.5, 97.5))
    assert percentiles([np.nan]) is None
