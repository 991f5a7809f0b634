"""Fits, calibrates and tests one detector on one draw of training pictures."""

from collections import defaultdict
from collections.abc import Sequence
from contextlib import nullcontext

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from app.data import LabelledPicture
from app.detectors import Detector, Features, OnePassDetector, WithThumbnail
from app.detectors.patch_embedding import PatchDetector
from app.evaluation.mask import read_mask
from app.evaluation.pixel_store import PixelStore
from app.pipeline import Outcome, Preprocessing, TiledModel, assembled
from app.progress import silent
from app.scoring import Largest, MapScore, MeanOfHighest, auroc, normal_threshold, rank
from app.tiling import Size, Tiling
from app.training.calibration import false_alarms
from app.training.one_pass import add_features
from benchmarks.quality.features import DataSet, Picture

RATE = 0.05
AUPRO_LIMIT = 0.05
RULES = "patch", "map", "top"
Scores = dict[str, float]
"""The score of a picture by each of RULES."""


@torch.inference_mode()
def measure(
    detector: OnePassDetector,
    tiling: Tiling,
    image_size: Size | None,
    data: DataSet,
    chosen: Sequence[int],
    pixels: bool,
) -> dict[str, dict[str, float]]:
    """The figures by each rule of the picture's score, of a detector that makes scores by the rule `patch`.

    `image_size` is that of the preprocessing. The detector is fitted to and calibrated on the chosen pictures of the
    pool. With `pixels`, the figures of pixels are computed as well.
    """
    pool = [data.pool[number] for number in chosen]
    stride = detector.feature_strides[0]
    plans = [picture.prepared.plan for picture in pool]
    grid = max(plan.y.cells(stride) for plan in plans), max(plan.x.cells(stride) for plan in plans)
    fitter = detector.fitter(len(pool), grid)
    for picture in pool:
        prepared, outputs = picture.outputs(tiling.thumbnail)
        add_features(fitter, prepared.plan, detector.feature_strides, outputs)
    fitter.finish(silent)
    normal: dict[str, list[float]] = defaultdict(list)
    for fold in fitter.folds(len(pool)):
        left_out = fitter.without(fold)
        for number in fold:
            for rule, score in _predicted(left_out, tiling, image_size, pool[number])[0].items():
                normal[rule].append(score)
    shared: dict[str, float] = {}
    tested: dict[str, list[float]] = defaultdict(list)
    with PixelStore() if pixels else nullcontext() as store:
        stored = []
        for picture in data.tests:
            scores, outcome = _predicted(detector, tiling, image_size, picture)
            for rule, score in scores.items():
                tested[rule].append(score)
            if store is not None and (inside := _inside(picture)) is not None:
                stored.append(store.add(outcome.anomaly_map.numpy(), inside))
        if store is not None:
            ranking = rank(store.steps(stored), store.totals(stored))
            shared = {"pixel_auroc": ranking.auroc, "aupro_0.05": ranking.aupro[AUPRO_LIMIT]}
    labels = [picture.anomalous for picture in data.tests]
    return {rule: _figures(normal[rule], tested[rule], labels) | shared for rule in RULES}


def _predicted(detector: Detector, tiling: Tiling, image_size: Size | None, picture: Picture) -> tuple[Scores, Outcome]:
    """The scores by all rules, and the outcome of a picture."""
    assert isinstance(detector, PatchDetector | WithThumbnail)
    scores: Scores = {}

    def score_of(map_score: MapScore | None, score_inputs: Sequence[Features]) -> Tensor:
        assert isinstance(map_score, _EachMapScore)
        found = detector.patch_score(score_inputs), map_score.largest.value(), map_score.value()
        scores.update(zip(RULES, map(float, found), strict=True))
        return found[0]

    # The program computes one score, not three.
    detector.map_score, detector.score_of = _EachMapScore, score_of  # type: ignore[assignment, method-assign]
    model = TiledModel(detector, Preprocessing(image_size), tiling)
    prepared, outputs = picture.outputs(tiling.thumbnail)
    return scores, assembled(model, outputs, prepared)


class _EachMapScore(MeanOfHighest):
    """The scores of a map by both of the rules `map` and `top`."""

    def __init__(self, total: int) -> None:
        super().__init__(total)
        self.largest = Largest()

    def add(self, values: Tensor) -> None:
        """See MapScore."""
        super().add(values)
        self.largest.add(values)


def _figures(normal: Sequence[float], tested: Sequence[float], anomalous: Sequence[bool]) -> dict[str, float]:
    """AUROC; and recall and false alarms, at the calibrated threshold and at the quantile of the test pictures.

    `stated_low` and `stated_high` are the interval of false alarms that the program states at the end of a training.
    """
    scores, labels = np.array(tested), np.array(anomalous)
    threshold = normal_threshold(normal, RATE)
    at_rate = np.quantile(scores[~labels], 1 - RATE)
    stated = false_alarms(normal, threshold)
    return {
        "image_auroc": auroc(tested, anomalous),
        "recall": float((scores[labels] > threshold).mean()),
        "false_alarms": float((scores[~labels] > threshold).mean()),
        "recall_at_5%": float((scores[labels] > at_rate).mean()),
        "stated_low": stated.low,
        "stated_high": stated.high,
    }


def _inside(picture: Picture) -> NDArray[np.bool_] | None:
    """The defects' pixels; None if the mask of an anomalous picture is empty."""
    mask = read_mask(LabelledPicture(picture.path, picture.kind, picture.mask), picture.prepared.image_size)
    return mask.inside
