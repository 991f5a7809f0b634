"""Thresholds, and the normalisation of scores."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, inf

import numpy as np
from torch import Tensor

from app.scoring.gumbel import prediction_limit
from app.scoring.ranking import rank
from app.scoring.steps import steps_of, totals_of

LEAST = 1e-12
"""A scale even where all pictures are alike; STFPM's map, a product, has values far below the distances."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """Raw thresholds and ranges of picture scores and map values.

    Normalised values are clamp((raw - threshold) / (max - min) + 0.5, 0, 1): at the threshold they are 0.5.
    """

    image_threshold: float
    image_min: float
    image_max: float
    pixel_threshold: float
    pixel_min: float
    pixel_max: float

    def normalise_score(self, raw: float) -> float:
        """A picture's score in [0, 1]."""
        share = (raw - self.image_threshold) / (self.image_max - self.image_min) + 0.5
        return min(max(share, 0.0), 1.0)

    def normalise_map(self, raw: Tensor) -> Tensor:
        """A map in [0, 1], as a new tensor of the same shape."""
        return raw.sub(self.pixel_threshold).div_(self.pixel_max - self.pixel_min).add_(0.5).clamp_(0, 1)

    def raw_value(self, normalised: float) -> float:
        """The map's value that is `normalised`, in [0, 1], afterwards; infinite for 1, which nothing exceeds."""
        if normalised >= 1:
            return inf
        return self.pixel_threshold + (normalised - 0.5) * (self.pixel_max - self.pixel_min)


def calibration_at(image_threshold: float, pixel_threshold: float) -> Calibration:
    """The calibration with these thresholds in which normalised values are 0 for a raw 0, and 1 for twice these."""
    image, pixel = (max(threshold, LEAST) for threshold in (image_threshold, pixel_threshold))
    return Calibration(image, 0.0, 2 * image, pixel, 0.0, 2 * pixel)


def calibrate_on_normal(scores: Sequence[float], peaks: Sequence[float], false_positive_rate: float) -> Calibration:
    """The calibration that normal pictures exceed at about `false_positive_rate`, in (0, 1), of the time.

    `scores` are those of normal pictures that were not trained on, `peaks` the largest values of their maps.
    """
    return calibration_at(*(normal_threshold(values, false_positive_rate) for values in (scores, peaks)))


def normal_threshold(values: Sequence[float], false_positive_rate: float) -> float:
    """What one more value exceeds with about this probability, by the values of normal pictures.

    It is a conformal quantile (Vovk et al. 2005): the ceil((n + 1)(1 - rate))-th smallest of n values, which is right
    for every law of the values. With too few pictures for that it is the prediction limit of a Gumbel law; one picture
    says nothing of others, and gives its own value.
    """
    place = ceil((len(values) + 1) * (1 - false_positive_rate))
    if place <= len(values):
        return sorted(values)[place - 1]
    return values[0] if len(values) == 1 else prediction_limit(values, false_positive_rate)


def f1_threshold(scores: Sequence[float], anomalous: Sequence[bool]) -> float:
    """The threshold with the best F1 of pictures over it, half way to the next lower score, for pictures are few.

    Raises ValueError unless there are normal and anomalous pictures.
    """
    best = rank([steps_of(scores, anomalous)], totals_of(anomalous)).best_f1.threshold
    lower = max((score for score in scores if score < best), default=None)
    return just_below(best) if lower is None else (lower + best) / 2


def just_below(value: float) -> float:
    """The next smaller float32, which `value` and what is larger exceed."""
    return float(np.nextafter(np.float32(value), np.float32(-np.inf)))


def calibrate_as_reference(
    scores: Sequence[float],
    anomalous: Sequence[bool],
    pixel_threshold: float | None,
    pixel_range: tuple[float, float],
) -> Calibration:
    """The calibration that anomalib 2 makes of the same scores: the score with the best F1, and the ranges of all.

    Without anomalous pictures it is their largest score, without normal ones their smallest. The pixels' threshold is
    found in the same way; None, without masks, makes it that of the scores.
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
