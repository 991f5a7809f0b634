"""Our metrics equal scikit-learn's, torchmetrics' and anomalib's on random cases with and without ties."""

import numpy as np
import pytest
import torch
from anomalib.metrics.aupro import _AUPRO
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, precision_recall_curve, roc_auc_score
from torchmetrics.classification import BinaryAUROC, BinaryAveragePrecision

from app.evaluation.pixel_store import PixelStore
from app.scoring import AUPRO_LIMITS, rank, steps_of, totals_of

CASES = 200
Arrays = tuple[NDArray[np.float32], NDArray[np.bool_]]


def scores_and_labels(seed: int) -> Arrays:
    """Scores in [0,1]: to other scores torchmetrics applies a sigmoid, which makes large ones equal."""
    random = np.random.default_rng(seed)
    count = int(random.integers(4, 400))
    anomalous = random.random(count) < random.uniform(0.05, 0.9)
    anomalous[:2] = True, False
    scores = (random.random(count) + random.uniform(0, 1) * anomalous) / 2
    if seed % 2:
        scores = np.round(scores * 10) / 10
    return scores.astype(np.float32), anomalous


def maps_and_masks(seed: int) -> Arrays:
    """Maps in [0,1] with blobs as defects; every fourth case has few values, and many ties."""
    random = np.random.default_rng(seed)
    count, height, width = (int(random.integers(low, high)) for low, high in ((1, 5), (12, 30), (12, 30)))
    masks = np.zeros((count, height, width), bool)
    for mask in masks:
        for _ in range(int(random.integers(0, 4))):
            top, left = int(random.integers(0, height - 3)), int(random.integers(0, width - 3))
            mask[top : top + int(random.integers(1, 8)), left : left + int(random.integers(1, 8))] = True
            mask[top - 1, left - 1] = True  # touches at a corner only
    masks[0, 2, 2], masks[0, 0, -1] = True, False
    maps = (random.random(masks.shape) + random.uniform(0, 1) * masks) / 2
    return (np.round(maps * 8) / 8 if seed % 4 == 0 else maps).astype(np.float32), masks


def test_auroc_and_average_precision_equal_scikit_learns_and_torchmetrics() -> None:
    for seed in range(CASES):
        scores, anomalous = scores_and_labels(seed)
        found = rank([steps_of(scores, anomalous)], totals_of(anomalous))
        assert found.auroc == pytest.approx(roc_auc_score(anomalous, scores), abs=1e-12), seed
        assert found.average_precision == pytest.approx(average_precision_score(anomalous, scores), abs=1e-12), seed
        given = torch.from_numpy(scores), torch.from_numpy(anomalous).long()
        assert found.auroc == pytest.approx(float(BinaryAUROC()(*given)), abs=1e-5), seed
        assert found.average_precision == pytest.approx(float(BinaryAveragePrecision()(*given)), abs=1e-5), seed


def test_best_f1_is_the_best_of_scikit_learns_curve() -> None:
    for seed in range(CASES):
        scores, anomalous = scores_and_labels(seed)
        best = rank([steps_of(scores, anomalous)], totals_of(anomalous)).best_f1
        precision, recall, thresholds = precision_recall_curve(anomalous, scores)
        f1 = 2 * precision * recall / np.maximum(precision + recall, 1e-300)
        assert best.f1 == pytest.approx(f1.max(), abs=1e-12), seed
        assert f1[np.flatnonzero(thresholds == best.threshold)[0]] == pytest.approx(best.f1, abs=1e-12), seed


@pytest.mark.parametrize("block", [7, 10**6])
def test_aupro_equals_anomalibs(block: int) -> None:
    for seed in range(CASES):
        maps, masks = maps_and_masks(seed)
        with PixelStore(block=block) as store:
            stored = [store.add(*pair) for pair in zip(maps, masks, strict=True)]
            found = rank(store.steps(stored), store.totals(stored))
        assert found.auroc == pytest.approx(roc_auc_score(masks.ravel(), maps.ravel()), abs=1e-12), seed
        for limit in AUPRO_LIMITS:
            reference = _AUPRO(fpr_limit=limit)
            reference.update(torch.from_numpy(maps), torch.from_numpy(masks).long())
            assert found.aupro[limit] == pytest.approx(float(reference.compute()), abs=2e-6), (seed, limit)
