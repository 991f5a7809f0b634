import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from app.evaluation.pixel_store import PixelStore
from app.scoring import AUPRO_LIMITS, Ranking, rank, steps_of, totals_of
from tests.scoring import naive

Maps = list[NDArray[np.float32]]
Masks = list[NDArray[np.bool_]]


def pictures(seed: int, count: int, levels: int, size: tuple[int, int] = (9, 7)) -> tuple[Maps, Masks]:
    """Maps with this many different values, negative ones and two zeros among them, and masks for half of them."""
    random = np.random.default_rng(seed)
    maps = [((random.integers(0, levels, size) - levels // 2) / 8).astype(np.float32) for _ in range(count)]
    for anomaly_map in maps:
        anomaly_map[(anomaly_map == 0) & (random.random(size) < 0.5)] = -0.0
    masks = [(random.random(size) < 0.25) & (number % 2 == 0) for number in range(count)]
    masks[0][0, 0], masks[0][0, 1] = True, False
    return maps, masks


def ranked(maps: Maps, masks: Masks, block: int) -> Ranking:
    with PixelStore(block=block) as store:
        stored = [store.add(*pair) for pair in zip(maps, masks, strict=True)]
        return rank(store.steps(stored), store.totals(stored))


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 10**6), st.integers(1, 6), st.sampled_from([1, 2, 5, 1000]), st.sampled_from([1, 2, 7, 10**6]))
def test_metrics_are_those_of_all_pixels_sorted_at_once(seed: int, count: int, levels: int, block: int) -> None:
    maps, masks = pictures(seed, count, levels)
    found = ranked(maps, masks, block)
    scores = np.concatenate([each.ravel() for each in maps])
    anomalous = np.concatenate([mask.ravel() for mask in masks])
    at_once = rank([steps_of(scores, anomalous)], totals_of(anomalous))
    assert (found.auroc, found.best_f1) == (at_once.auroc, at_once.best_f1)
    assert found.average_precision == pytest.approx(at_once.average_precision, rel=1e-12)
    assert found.auroc == pytest.approx(naive.pairwise_auroc(scores, anomalous), abs=1e-12)
    for limit in AUPRO_LIMITS:
        assert found.aupro[limit] == pytest.approx(naive.aupro(maps, masks, limit), abs=1e-12)


def test_many_pictures_have_the_same_metrics_with_small_and_large_blocks() -> None:
    maps, masks = pictures(3, 150, 300)
    tiny, large = ranked(maps, masks, 16), ranked(maps, masks, 10**7)
    assert (tiny.auroc, tiny.best_f1) == (large.auroc, large.best_f1)
    assert tiny.average_precision == pytest.approx(large.average_precision, rel=1e-12)
    assert tiny.aupro == pytest.approx(large.aupro, rel=1e-12)


def test_a_block_has_at_most_the_requested_number_of_anomalous_pixels() -> None:
    maps, masks = pictures(4, 40, 1000)
    with PixelStore(block=50) as store:
        stored = [store.add(*pair) for pair in zip(maps, masks, strict=True)]
        blocks = list(store.steps(stored))
    assert len(blocks) > 5
    assert max(int(steps.found.sum()) for steps in blocks) <= 50
    values = np.concatenate([steps.values for steps in blocks])
    assert (np.diff(values) < 0).all()


@pytest.mark.parametrize("levels", [3, 10**6])
def test_memory_does_not_grow_with_the_number_of_pictures(levels: int) -> None:
    """Of 200 pictures of 64 x 64, 100,000 pixels are anomalous and 700,000 normal, and a block holds 2,000."""
    peaks = []
    for count in (50, 200):
        maps, masks = pictures(5, count, levels, (64, 64))
        with PixelStore(block=2000) as store:
            stored = [store.add(*pair) for pair in zip(maps, masks, strict=True)]
            tracemalloc.start()
            rank(store.steps(stored), store.totals(stored))
            peaks.append(tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()
    views = 200 * 3 * 200  # bytes of views of the runs, three for each picture
    assert peaks[1] < 2000 * 250 + views
    assert peaks[1] < peaks[0] + views


def test_only_values_over_the_threshold_exceed_it() -> None:
    maps, masks = pictures(6, 8, 9)
    with PixelStore() as store:
        stored = [store.add(*pair) for pair in zip(maps, masks, strict=True)]
        found = store.confusion(stored, 0.25)
    scores, anomalous = np.stack(maps), np.stack(masks)
    assert found.true_positives == ((scores > 0.25) & anomalous).sum()
    assert found.false_positives == ((scores > 0.25) & ~anomalous).sum()
    assert found.true_negatives == ((scores <= 0.25) & ~anomalous).sum()
    assert found.false_negatives == ((scores <= 0.25) & anomalous).sum()


def test_a_subset_of_pictures_is_ranked_without_the_others() -> None:
    maps, masks = pictures(7, 10, 50)
    with PixelStore() as store:
        stored = [store.add(*pair) for pair in zip(maps, masks, strict=True)]
        found = rank(store.steps(stored[:3]), store.totals(stored[:3]))
    assert found.aupro == ranked(maps[:3], masks[:3], 10**6).aupro


def test_a_map_with_nan_is_refused() -> None:
    with PixelStore() as store, pytest.raises(ValueError, match="no order"):
        store.add(np.full((2, 2), np.nan, np.float32), np.zeros((2, 2), bool))


def test_nothing_is_left_on_disk(tmp_path: Path) -> None:
    maps, masks = pictures(8, 4, 50)
    with PixelStore(tmp_path) as store:
        for pair in zip(maps, masks, strict=True):
            store.add(*pair)
    assert list(tmp_path.iterdir()) == []
