"""Pictures with their heat, small enough to be part of the page."""

from bisect import insort
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch.nn import functional as F

from app.evaluation.evaluate import EvaluatedPicture
from app.evaluation.report.explained import Explain, Explained
from app.pipeline import Preprocessing
from app.rendering import encode_jpeg, framed, overlay
from app.scoring import Calibration, find_regions
from app.tiling import Size

EDGE = 640
"""The longest edge of a picture in the gallery, in pixels."""

MAX_BYTES = 12 * 2**20
"""The limit on all pictures of a page together. Their encoding for the page adds a third."""

Box = tuple[int, int, int, int]
"""(top, left, height, width)."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A picture of the gallery."""

    number: int  # index in Evaluation.pictures
    raw_score: float
    jpeg: bytes
    size: Size  # (height, width) of the JPEG
    explained: Explained | None = None  # the most unusual region; None: there is none, or it was not explained

    @property
    def bytes(self) -> int:
        """The bytes of all its JPEG files."""
        return len(self.jpeg) + (len(self.explained.strip) if self.explained else 0)


class Gallery:
    """Draws evaluated pictures, and keeps as many as fit into `max_bytes`.

    If they do not fit, the anomalous pictures with the lowest scores and the normal pictures with the highest scores
    are kept, about as many bytes of each. `explain` explains the most unusual region of each picture that is kept.
    """

    def __init__(self, calibration: Calibration, max_bytes: int = MAX_BYTES, explain: Explain | None = None) -> None:
        self._calibration, self._max_bytes, self._seen, self._explain = calibration, max_bytes, 0, explain
        self._misses, self._alarms = _Worst(1), _Worst(-1)

    @property
    def shown(self) -> dict[int, Shown]:
        """The pictures that were kept, by their number in Evaluation.pictures."""
        return {each.number: each for each in (*self._misses.shown, *self._alarms.shown)}

    @property
    def left_out(self) -> int:
        """The number of pictures that did not fit."""
        return self._seen - len(self._misses.shown) - len(self._alarms.shown)

    def add(self, evaluated: EvaluatedPicture) -> None:
        """Takes the next evaluated picture."""
        number, self._seen = self._seen, self._seen + 1
        side = self._misses if evaluated.result.anomalous else self._alarms
        if not side.takes(evaluated.result.raw_score):
            return
        shown = draw(evaluated, number, self._calibration)
        side.add(shown if self._explain is None else replace(shown, explained=self._explain(evaluated)))
        while self._misses.bytes + self._alarms.bytes > self._max_bytes:
            max(self._misses, self._alarms, key=lambda each: each.bytes).drop()


class _Worst:
    """Pictures of one label, the worst prediction first; `sign` is 1 if low scores are worse, -1 if high ones are."""

    def __init__(self, sign: int) -> None:
        self._sign, self._limit = sign, float("inf")  # signed scores from the limit on were dropped
        self.shown: list[Shown] = []
        self.bytes = 0

    def takes(self, raw_score: float) -> bool:
        return self._sign * raw_score < self._limit

    def add(self, shown: Shown) -> None:
        insort(self.shown, shown, key=lambda each: self._sign * each.raw_score)
        self.bytes += shown.bytes

    def drop(self) -> None:
        dropped = self.shown.pop()
        self.bytes -= dropped.bytes
        self._limit = self._sign * dropped.raw_score


def draw(evaluated: EvaluatedPicture, number: int, calibration: Calibration) -> Shown:
    """The picture with its map as a heatmap over it, at most EDGE pixels long.

    An anomalous picture has frames around its labelled defects, a normal picture around the regions above the pixel
    threshold. The map is reduced by maxima, so that small peaks remain visible.
    """
    size = reduced_size(evaluated.result.size)
    image = Preprocessing(size).resize(evaluated.image)
    if evaluated.image.dtype != torch.uint8:
        image = image.float() * (255 / torch.iinfo(evaluated.image.dtype).max)
    if image.dtype != torch.uint8:
        image = image.round_().clamp_(0, 255).to(torch.uint8)
    heat = F.adaptive_max_pool2d(calibration.normalise_map(evaluated.anomaly_map)[None], size)[0]
    boxes = [_scaled(box, evaluated.result.size, size) for box in _boxes(evaluated, calibration)]
    picture = framed(overlay(image, heat), boxes)
    return Shown(number, evaluated.result.raw_score, encode_jpeg(picture), size)


def _boxes(evaluated: EvaluatedPicture, calibration: Calibration) -> list[Box]:
    if evaluated.result.anomalous:
        found = [] if evaluated.mask is None else find_regions(evaluated.mask.astype(np.float32), 0.5)
    else:
        found = find_regions(evaluated.anomaly_map.numpy(), calibration.pixel_threshold)
    return [(region.top, region.left, region.height, region.width) for region in found]


def reduced_size(size: Size) -> Size:
    """The (height, width) at which a report shows a picture of this size: at most EDGE pixels long."""
    scale = min(1.0, EDGE / max(size))
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def _scaled(box: Box, size: Size, reduced: Size) -> Box:
    """The smallest box of the reduced picture that covers this one."""
    top, left, height, width = box
    down, across = ((new, old) for new, old in zip(reduced, size, strict=True))
    rows = top * down[0] // down[1], -(-(top + height) * down[0] // down[1])
    columns = left * across[0] // across[1], -(-(left + width) * across[0] // across[1])
    return rows[0], columns[0], rows[1] - rows[0], columns[1] - columns[0]
