import numpy as np
import pytest

from app.scoring import auroc


def test_auroc_is_how_often_an_anomalous_value_exceeds_a_normal_one() -> None:
    random = np.random.default_rng(0)
    scores, anomalous = random.integers(0, 20, 300), random.random(300) < 0.3
    pairs = np.sign(scores[anomalous][:, None] - scores[~anomalous][None]) / 2 + 0.5
    assert auroc(scores, anomalous) == pytest.approx(pairs.mean())


def test_order_is_all_that_counts() -> None:
    """A sigmoid on the way would tie all of these."""
    assert auroc([18.0, 19.0, 1e6, 1e7], [False, False, True, True]) == 1.0


def test_one_kind_alone_has_no_curve() -> None:
    with pytest.raises(ValueError, match="normal and anomalous"):
        auroc([1.0, 2.0], [True, True])
