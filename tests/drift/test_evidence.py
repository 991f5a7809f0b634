import numpy as np
import pytest
from numpy.typing import NDArray

from app.drift.baseline import baseline_of
from app.drift.evidence import MEAN_PICTURES, MOST_BET, PLACES, SHIFTS, Evidence, bets


def _evidence(training: NDArray[np.float64], seed: int = 0) -> Evidence:
    found = baseline_of((1, 1), [{str(name): value for name, value in enumerate(row)} for row in training])
    assert found is not None
    streams = list(found.streams.values())
    return Evidence(streams, np.full(len(streams), 1 / len(streams)), np.random.default_rng(seed))


def test_bets_have_the_mean_1_and_are_bounded() -> None:
    table = bets()
    assert np.allclose(table.mean(1), 1)
    assert table.max() <= MOST_BET * 1.001


@pytest.mark.parametrize("pictures", [8, 60, 300])
def test_p_values_are_uniform_and_independent_however_few_pictures_were_trained_on(pictures: int) -> None:
    random = np.random.default_rng(1)
    firsts, seconds = [], []
    for seed in range(50):
        evidence = _evidence(random.exponential(size=(pictures, 40)), seed)
        first, second = (evidence.add(random.exponential(size=40)) for _ in range(2))
        firsts += list(first)
        seconds += list(second)
    for values in (firsts, seconds):
        assert np.histogram(values, 10, (0, 1))[0] == pytest.approx(200, abs=60)  # more than four standard errors
    assert abs(np.corrcoef(firsts, seconds)[0, 1]) < 0.1


def test_the_mean_of_the_evidence_is_the_number_of_pictures() -> None:
    random = np.random.default_rng(2)
    totals = []
    for seed in range(100):
        evidence = _evidence(random.normal(size=(20, 50)), seed)
        for _ in range(5):
            evidence.add(random.normal(size=50))
        totals.append(evidence.total)
    assert np.mean(totals) == pytest.approx(5, rel=0.12)


def test_constant_statistics_give_no_evidence() -> None:
    evidence = _evidence(np.ones((30, 3)))
    for _ in range(500):
        evidence.add(np.ones(3))
    assert evidence.total < MEAN_PICTURES


def test_a_shift_gives_evidence_in_its_direction() -> None:
    random = np.random.default_rng(3)
    evidence = _evidence(random.normal(size=(60, 2)))
    for _ in range(40):
        evidence.add(random.normal(size=2) + np.array([2, -2]))
    assert (evidence.parts > MEAN_PICTURES).all()
    assert evidence.rising.tolist() == [True, False]


def test_false_alarms_are_as_rare_as_their_bound() -> None:
    """Of 2,000 runs of 200 pictures at a threshold of 1,000, at most a fifth raise an alarm."""
    random, table, runs = np.random.default_rng(4), bets(), 2_000
    sums, alarmed = np.zeros((len(SHIFTS), runs)), np.zeros(runs, bool)
    for _ in range(200):
        sums = (sums + 1) * table[:, random.integers(0, PLACES, runs)]
        alarmed |= sums.mean(0) >= 1_000
    assert 0.02 < alarmed.mean() < 0.2
