"""The pictures with the worst predictions, small enough to be part of the page."""

from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional as F

from app.evaluation.evaluate import EvaluatedPicture
from app.pipeline import Preprocessing
from app.rendering import encode_jpeg, outline, overlay
from app.scoring import Calibration, find_regions
from app.tiling import Size

EDGE = 480
"""The longest edge of a picture in the gallery, in pixels."""

Box = tuple[int, int, int, int]
"""(top, left, height, width)."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A picture of the gallery."""

    number: int  # index in Evaluation.pictures
    raw_score: float
    jpeg: bytes
    size: Size  # (height, width) of the JPEG


class Gallery:
    """Keeps the `count` anomalous pictures with the lowest scores and the `count` normal pictures with the highest."""

    def __init__(self, calibration: Calibration, count: int = 6) -> None:
        self._calibration, self._count, self._seen = calibration, count, 0
        self.misses: list[Shown] = []
        self.alarms: list[Shown] = []

    def add(self, evaluated: EvaluatedPicture) -> None:
        """Takes the next evaluated picture."""
        number, self._seen = self._seen, self._seen + 1
        shown, sign = (self.misses, 1) if evaluated.result.anomalous else (self.alarms, -1)
        if len(shown) == self._count and sign * evaluated.result.raw_score >= sign * shown[-1].raw_score:
            return
        shown.append(draw(evaluated, number, self._calibration))
        shown.sort(key=lambda each: sign * each.raw_score)
        del shown[self._count :]


def draw(evaluated: EvaluatedPicture, number: int, calibration: Calibration) -> Shown:
    """The picture with its map as a heatmap over it, at most EDGE pixels long.

    An anomalous picture has frames around its labelled defects, a normal picture around the regions above the pixel
    threshold. The map is reduced by maxima, so that small peaks remain visible.
    """
    size = _reduced(evaluated.result.size)
    image = Preprocessing(size).resize(evaluated.image)
    if evaluated.image.dtype != torch.uint8:
        image = image.float() * (255 / torch.iinfo(evaluated.image.dtype).max)
    if image.dtype != torch.uint8:
        image = image.round_().clamp_(0, 255).to(torch.uint8)
    heat = F.adaptive_max_pool2d(calibration.normalise_map(evaluated.anomaly_map)[None], size)[0]
    boxes = [_scaled(box, evaluated.result.size, size) for box in _boxes(evaluated, calibration)]
    picture = outline(overlay(image, heat), boxes)
    return Shown(number, evaluated.result.raw_score, encode_jpeg(picture), size)


def _boxes(evaluated: EvaluatedPicture, calibration: Calibration) -> list[Box]:
    if evaluated.result.anomalous:
        found = [] if evaluated.mask is None else find_regions(evaluated.mask.astype(np.float32), 0.5)
    else:
        found = find_regions(evaluated.anomaly_map.numpy(), calibration.pixel_threshold)
    return [(region.top, region.left, region.height, region.width) for region in found]


def _reduced(size: Size) -> Size:
    scale = min(1.0, EDGE / max(size))
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def _scaled(box: Box, size: Size, reduced: Size) -> Box:
    """The smallest box of the reduced picture that covers this one."""
    top, left, height, width = box
    down, across = ((new, old) for new, old in zip(reduced, size, strict=True))
    rows = top * down[0] // down[1], -(-(top + height) * down[0] // down[1])
    columns = left * across[0] // across[1], -(-(left + width) * across[0] // across[1])
    return rows[0], columns[0], rows[1] - rows[0], columns[1] - columns[0]
