import numpy as np
import pytest

from app.scoring import auroc


def test_auroc_is_the_share_of_pairs_that_are_in_order() -> None:
    random = np.random.default_rng(0)
    scores, anomalous = random.integers(0, 20, 300), random.random(300) < 0.3
    pairs = np.sign(scores[anomalous][:, None] - scores[~anomalous][None]) / 2 + 0.5
    assert auroc(scores, anomalous) == pytest.approx(pairs.mean())


def test_auroc_depends_only_on_the_order() -> None:
    """A sigmoid would make all of these scores equal."""
    assert auroc([18.0, 19.0, 1e6, 1e7], [False, False, True, True]) == 1.0


def test_auroc_needs_both_labels() -> None:
    with pytest.raises(ValueError, match="anomalous"):
        auroc([1.0, 2.0], [True, True])
