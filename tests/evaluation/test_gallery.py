import io
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from app.evaluation import EvaluatedPicture, PictureResult
from app.evaluation.report.gallery import EDGE, Gallery
from app.scoring import Calibration

CALIBRATION = Calibration(1.0, 0.0, 2.0, 1.0, 0.0, 2.0)


def evaluated(
    raw_score: float, anomalous: bool, size: tuple[int, int] = (40, 60), dtype: torch.dtype = torch.uint8
) -> EvaluatedPicture:
    """A grey picture with a hot pixel in the upper left quarter and, if anomalous, a defect in the lower right one."""
    height, width = size
    image = torch.full((1, *size), torch.iinfo(dtype).max // 2, dtype=dtype)
    anomaly_map, mask = torch.zeros(size), np.zeros(size, bool)
    anomaly_map[height // 4, width // 4] = 2
    if anomalous:
        mask[height * 5 // 8 : height * 6 // 8, width * 5 // 8 : width * 6 // 8] = True
    result = PictureResult(Path("x.png"), "cut", anomalous, size, None, raw_score, 2.0, raw_score / 2, raw_score > 1)
    return EvaluatedPicture(result, image, anomaly_map, mask)


def test_all_pictures_are_kept_while_there_is_room() -> None:
    gallery = Gallery(CALIBRATION)
    for number in range(9):
        gallery.add(evaluated(number / 5, number % 2 == 0))
    assert sorted(gallery.shown) == list(range(9))
    assert gallery.shown[3].raw_score == 3 / 5
    assert gallery.left_out == 0


def test_the_worst_pictures_of_both_labels_are_kept_if_there_is_little_room() -> None:
    scores = np.random.default_rng(0).permutation(40) / 20
    one = Gallery(CALIBRATION)
    one.add(evaluated(1.0, True))
    limit = 10 * len(one.shown[0].jpeg)
    gallery = Gallery(CALIBRATION, limit)
    for number, score in enumerate(scores):
        gallery.add(evaluated(float(score), number % 2 == 0))
    shown = gallery.shown.values()
    misses = [each.raw_score for each in shown if each.number % 2 == 0]
    alarms = [each.raw_score for each in shown if each.number % 2]
    assert len(misses) >= 3
    assert len(alarms) >= 3
    assert misses == sorted(scores[::2])[: len(misses)]
    assert alarms == sorted(scores[1::2], reverse=True)[: len(alarms)]
    assert sum(len(each.jpeg) for each in shown) <= limit
    assert gallery.left_out == 40 - len(misses) - len(alarms)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.uint16])
@pytest.mark.parametrize("size", [(40, 60), (1200, 2000)])
def test_pictures_are_reduced_and_one_hot_pixel_stays_visible(size: tuple[int, int], dtype: torch.dtype) -> None:
    gallery = Gallery(CALIBRATION)
    gallery.add(evaluated(1.5, False, size, dtype))
    with Image.open(io.BytesIO(gallery.shown[0].jpeg)) as image:
        assert max(image.size) == min(EDGE, max(size))
        pixels = np.asarray(image.convert("RGB")).astype(int)
    height, width = pixels.shape[:2]
    assert gallery.shown[0].size == (height, width)
    assert np.abs(pixels[height * 3 // 4, width * 3 // 4] - 127).max() < 12
    around = pixels[height // 4 - 4 : height // 4 + 5, width // 4 - 4 : width // 4 + 5]
    assert around.max() - around.min() > 100  # the frame


@pytest.mark.parametrize("size", [(40, 60), (1200, 2000)])
def test_labelled_defects_are_framed(size: tuple[int, int]) -> None:
    gallery = Gallery(CALIBRATION)
    gallery.add(evaluated(0.5, True, size))
    with Image.open(io.BytesIO(gallery.shown[0].jpeg)) as image:
        pixels = np.asarray(image.convert("L")).astype(int)
    height, width = pixels.shape
    bottom_right = pixels[height // 2 :, width // 2 :]
    assert bottom_right.max() - bottom_right.min() > 100
    assert np.ptp(pixels[height // 2 :, : width // 2]) < 30
