"""Thresholds, and the scale on which scores are told."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

from torch import Tensor


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


def calibrate_on_normal(scores: Sequence[float], peaks: Sequence[float], false_positive_rate: float) -> Calibration:
    """Thresholds that normal pictures exceed at about `false_positive_rate`, in (0, 1), of the time.

    `scores` are those of normal pictures that were not trained on, `peaks` the largest values of their maps. The
    threshold is a conformal quantile (Vovk et al. 2005): the ceil((n + 1)(1 - rate))-th smallest of n values. With too
    few pictures for that, it lies above their largest by the distance of that from their median. Normalised scores are
    0 for a raw 0, and 1 for twice the threshold.
    """
    image, pixel = (_threshold(sorted(values), false_positive_rate) for values in (scores, peaks))
    return Calibration(image, 0.0, 2 * image, pixel, 0.0, 2 * pixel)


def _threshold(values: list[float], false_positive_rate: float) -> float:
    rank = ceil((len(values) + 1) * (1 - false_positive_rate))
    margin = values[-1] - values[len(values) // 2]
    threshold = values[rank - 1] if rank <= len(values) else values[-1] + margin
    return max(threshold, 1e-6)  # a scale even where all normal pictures are alike
