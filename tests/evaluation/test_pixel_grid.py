import numpy as np
import pytest

from app.evaluation.pixel_store import PixelStore
from app.scoring import AUPRO_LIMITS, Ranking, rank
from tests.scoring import naive

SIZE = (60, 80)
THRESHOLD = 0.6


def labelled(
    count: int,
) -> tuple[
    list[np.ndarray[tuple[int, int], np.dtype[np.float32]]], list[np.ndarray[tuple[int, int], np.dtype[np.bool_]]]
]:
    random = np.random.default_rng(0)
    maps, masks = [], []
    for number in range(count):
        mask = np.zeros(SIZE, bool)
        if number % 2:
            mask[10:20, 10:25], mask[40:44, 60:66] = True, True
        maps.append((random.gamma(2, 0.1, SIZE) + 0.3 * mask * random.random(SIZE)).astype(np.float32))
        masks.append(mask)
    return maps, masks


def exact(store: PixelStore, maps: list, masks: list) -> Ranking:  # type: ignore[type-arg]  # lists of arrays
    stored = [store.add(*pair) for pair in zip(maps, masks, strict=True)]
    return rank(store.steps(stored), store.totals(stored))


@pytest.mark.parametrize("threshold", [THRESHOLD, None])
def test_resamples_have_nearly_the_metrics_of_their_pixels(threshold: float | None) -> None:
    maps, masks = labelled(6)
    with PixelStore() as store:
        grid = store.grid(
            {number: store.add(*pair) for number, pair in enumerate(zip(maps, masks, strict=True))}, threshold
        )
    for weights in ([1, 1, 1, 1, 1, 1], [0, 2, 1, 0, 3, 1]):
        found = grid.metrics(np.array([weights], float))
        chosen = [
            [part[number] for number, times in enumerate(weights) for _ in range(times)] for part in (maps, masks)
        ]
        with PixelStore() as store:
            ranking = exact(store, *chosen)
        assert found["auroc"][0] == pytest.approx(ranking.auroc, abs=2e-4)
        assert found["average_precision"][0] == pytest.approx(ranking.average_precision, abs=5e-3)
        assert found["best_f1"][0] == pytest.approx(ranking.best_f1.f1, abs=5e-3)
        for limit in AUPRO_LIMITS:
            assert found[f"aupro_{limit}"][0] == pytest.approx(ranking.aupro[limit], abs=2e-3)
        assert ("recall" in found) == (threshold is not None)


def test_metrics_at_the_threshold_are_exact() -> None:
    maps, masks = labelled(4)
    maps[1][0, 0] = np.float32(THRESHOLD)  # equal to the threshold: does not exceed it
    with PixelStore() as store:
        stored = {number: store.add(*pair) for number, pair in enumerate(zip(maps, masks, strict=True))}
        grid, expected = store.grid(stored, THRESHOLD), store.confusion(list(stored.values()), THRESHOLD)
    found = grid.metrics(np.ones((1, 4)))
    for name in ("f1", "precision", "recall", "false_positive_rate"):
        assert found[name][0] == pytest.approx(getattr(expected, name), rel=1e-12)


def test_pictures_without_known_pixels_have_no_part() -> None:
    maps, masks = labelled(3)
    with PixelStore() as store:
        grid = store.grid({0: store.add(maps[0], masks[0]), 2: store.add(maps[1], masks[1])}, None)
    weights = np.ones((1, 4))
    expected = naive.pairwise_auroc(np.stack(maps[:2]).ravel(), np.stack(masks[:2]).ravel())
    assert grid.metrics(weights)["auroc"][0] == pytest.approx(expected, abs=2e-4)
    weights[0, [1, 3]] = 5
    assert grid.metrics(weights)["auroc"][0] == pytest.approx(expected, abs=2e-4)


def test_equal_values_count_half() -> None:
    mask = np.zeros((4, 4), bool)
    mask[0] = True
    with PixelStore() as store:
        grid = store.grid({0: store.add(np.zeros((4, 4), np.float32), mask)}, 0.0)
    found = grid.metrics(np.ones((1, 1)))
    assert found["auroc"][0] == 0.5
    assert found["recall"][0] == 0
