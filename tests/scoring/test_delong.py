import numpy as np
import pytest

from app.scoring import delong, percentiles, resamples, weighted_ranking, weighted_steps
from tests.scoring import naive


def scores_of_two_models(
    count: int = 120, ties: bool = False
) -> tuple[np.ndarray[tuple[int], np.dtype[np.float64]], ...]:
    random = np.random.default_rng(3)
    labels = np.arange(count) % 3 == 0
    common = random.normal(size=count) + labels
    first, second = common + random.normal(size=count), common + 0.5 * random.normal(size=count)
    if ties:
        first, second = np.round(first), np.round(second)
    return first, second, labels.astype(float)


@pytest.mark.parametrize("ties", [False, True])
def test_the_variance_is_that_of_the_pairwise_definition(ties: bool) -> None:
    first, second, labels = scores_of_two_models(ties=ties)
    anomalous = labels > 0
    placements = []
    for scores in (first, second):
        pairs = np.sign(scores[anomalous][:, None] - scores[~anomalous][None]) / 2 + 0.5
        placements.append((pairs.mean(1), pairs.mean(0)))
    of_positive, of_negative = zip(*placements, strict=True)
    variance = np.cov(of_positive) / anomalous.sum() + np.cov(of_negative) / (~anomalous).sum()
    deviation = np.sqrt(variance[0, 0] + variance[1, 1] - 2 * variance[0, 1])
    found = delong(first, second, anomalous)
    areas = [naive.pairwise_auroc(scores, anomalous) for scores in (first, second)]
    assert found.difference == pytest.approx(areas[1] - areas[0])
    assert (found.high - found.low) / 2 == pytest.approx(1.959964 * deviation, rel=1e-6)
    assert found.p_value == pytest.approx(2 * (1 - _normal(abs(found.difference) / deviation)), abs=1e-9)


def _normal(z: float) -> float:
    from math import erf, sqrt

    return (1 + erf(z / sqrt(2))) / 2


def test_the_interval_agrees_with_a_paired_bootstrap() -> None:
    first, second, labels = scores_of_two_models(600)
    anomalous = labels > 0
    differences = np.concatenate(
        [
            weighted_ranking(*weighted_steps(second, anomalous, weights))["auroc"]
            - weighted_ranking(*weighted_steps(first, anomalous, weights))["auroc"]
            for weights in resamples(anomalous)
        ]
    )
    found = delong(first, second, anomalous)
    assert percentiles(differences) == pytest.approx((found.low, found.high), abs=0.006)


def test_equal_scores_do_not_differ() -> None:
    first, _, labels = scores_of_two_models()
    found = delong(first, first, labels > 0)
    assert (found.difference, found.low, found.high, found.p_value) == (0, 0, 0, 1)


def test_one_picture_of_a_label_is_refused() -> None:
    with pytest.raises(ValueError, match="at least two"):
        delong([1, 2, 3], [1, 2, 3], [True, False, False])
