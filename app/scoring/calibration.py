"""Thresholds, and the normalisation of scores."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf

import numpy as np
from torch import Tensor

from app.scoring.gumbel import prediction_limit
from app.scoring.ranking import rank
from app.scoring.steps import steps_of, totals_of

LEAST = 1e-12
"""The smallest threshold and range, so that normalisation never divides by 0, even if all pictures are alike.

It is this small because the values of STFPM's map, a product, are far smaller than distances.
"""

CLEAR_MARGINS = 4


@dataclass(frozen=True, slots=True)
class Calibration:
    """Raw thresholds and ranges: `image_*` of picture scores, `pixel_*` of map values.

    A normalised value is clamp((raw - threshold) / (max - min) + 0.5, 0, 1), which is 0.5 at the threshold.
    """

    image_threshold: float
    image_min: float
    image_max: float
    pixel_threshold: float
    pixel_min: float
    pixel_max: float

    def normalise_score(self, raw: float) -> float:
        """The normalised score of a picture, in [0, 1]."""
        share = (raw - self.image_threshold) / (self.image_max - self.image_min) + 0.5
        return min(max(share, 0.0), 1.0)

    def normalise_map(self, raw: Tensor) -> Tensor:
        """The normalised map, in [0, 1]: a new tensor of the same shape."""
        return raw.sub(self.pixel_threshold).div_(self.pixel_max - self.pixel_min).add_(0.5).clamp_(0, 1)

    def raw_score(self, normalised: float) -> float:
        """The raw score of a picture that `normalised` stands for; the inverse of `normalise_score` within [0, 1]."""
        return self.image_threshold + (normalised - 0.5) * (self.image_max - self.image_min)

    def raw_value(self, normalised: float) -> float:
        """The raw map value that `normalised`, in [0, 1], stands for.

        Infinite for 1, because no normalised value exceeds 1.
        """
        if normalised >= 1:
            return inf
        return self.pixel_threshold + (normalised - 0.5) * (self.pixel_max - self.pixel_min)


def calibration_at(image_threshold: float, pixel_threshold: float) -> Calibration:
    """The calibration with these thresholds that normalises a raw 0 to 0, and twice the threshold to 1."""
    image, pixel = (max(threshold, LEAST) for threshold in (image_threshold, pixel_threshold))
    return Calibration(image, 0.0, 2 * image, pixel, 0.0, 2 * pixel)


def calibrate_on_normal(
    scores: Sequence[float],
    peaks: Sequence[float],
    false_positive_rate: float,
    margins: tuple[float, float] = (0.0, 0.0),
) -> Calibration:
    """The calibration for a false-positive rate in (0, 1): about this share of normal pictures exceeds the thresholds.

    `scores` are the scores of normal pictures that were not trained on, `peaks` the largest values of their maps.
    `margins` are the distances that the thresholds of pictures and of pixels keep, see `clear_threshold`.
    """
    image, pixel = (
        clear_threshold(normal_threshold(values, false_positive_rate), values, margin)
        for values, margin in zip((scores, peaks), margins, strict=True)
    )
    return calibration_at(image, pixel)


def normal_threshold(values: Sequence[float], false_positive_rate: float) -> float:
    """The threshold that the value of another normal picture exceeds with a probability of about `false_positive_rate`.

    `values` are those of normal pictures. The threshold is the prediction limit of a Gumbel distribution, which all
    values determine. A single picture does not show how much the values vary; it counts as two that are alike.
    """
    return prediction_limit([*values, *values] if len(values) == 1 else values, false_positive_rate)


def clear_threshold(threshold: float, values: Sequence[float], margin: float) -> float:
    """The lowest threshold from `threshold` on that no value lies under by less than `margin`.

    Values that rise by less than the margin, because of rounding, then stay under the threshold. The threshold rises by
    at most CLEAR_MARGINS margins. If the values are too dense for that, it rises by one margin.
    """
    highest = threshold + CLEAR_MARGINS * margin
    near = sorted(value for value in values if threshold - margin < value <= highest)
    for below, found in ((threshold - margin, threshold), *((value, value + margin) for value in near)):
        if threshold <= found <= highest and not any(below < value <= found for value in near):
            return found
    return threshold + margin


def f1_threshold(scores: Sequence[float], anomalous: Sequence[bool]) -> float:
    """The threshold that gives the best F1, if pictures with scores above it count as anomalous.

    It lies half way between the lowest score that counts as anomalous and the next lower score, because pictures are
    few; just below the former if there is no lower score. Raises ValueError unless there are normal and anomalous
    pictures.
    """
    best = rank([steps_of(scores, anomalous)], totals_of(anomalous)).best_f1.threshold
    lower = max((score for score in scores if score < best), default=None)
    return just_below(best) if lower is None else (lower + best) / 2


def just_below(value: float) -> float:
    """The float32 just below `value`: `value` and all larger values exceed it."""
    return float(np.nextafter(np.float32(value), np.float32(-np.inf)))


def calibrate_as_reference(
    scores: Sequence[float],
    anomalous: Sequence[bool],
    pixel_threshold: float | None,
    pixel_range: tuple[float, float],
) -> Calibration:
    """The calibration that anomalib 2 makes of the same scores.

    The image threshold is the score with the best F1; the largest score if no picture is anomalous, and the smallest
    score if all are. The image range is that of all scores.

    `pixel_threshold` is the map value with the best F1 of pixels. If it is None, because there are no masks, the image
    threshold is used. `pixel_range` is the (smallest, largest) value of all maps.
    """
    totals = totals_of(anomalous)
    if totals.normal and totals.anomalous:
        image = rank([steps_of(scores, anomalous)], totals).best_f1.threshold
    else:
        image = min(scores) if totals.anomalous else max(scores)
    pixel = image if pixel_threshold is None else pixel_threshold
    (image_min, image_max), (pixel_min, pixel_max) = _span(min(scores), max(scores)), _span(*pixel_range)
    return Calibration(image, image_min, image_max, pixel, pixel_min, pixel_max)


def _span(low: float, high: float) -> tuple[float, float]:
    return low, high if high > low else low + max(1e-6 * abs(low), LEAST)
