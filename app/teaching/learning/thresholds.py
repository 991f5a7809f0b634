"""The thresholds of a taught version.

The rate of false alarms is kept, unless another is requested: the threshold is that of a training, for the scores of
the base's normal pictures and those of the reviewed harmless pictures together, each by a detector that had not learned
it. The base's scores are those of its training. Learning more normal patches makes distances to a memory bank smaller
and never larger, so that these scores are rather too high. A second stage changes scores by factors that are not known
for the base's pictures, so that only the reviewed ones count then.

Confirmed defects set the lower bound of what must be found: the threshold is lowered to just below their lowest score,
as far as at most the requested share of the normal pictures exceeds it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from app.artifacts import CalibrationRecord, FalseAlarmRecord, ThresholdRecord, values_kept
from app.scoring import (
    Calibration,
    calibration_at,
    clear_threshold,
    confidence_limits,
    just_below,
    normal_threshold,
)
from app.training.calibration import false_alarms

RATE = 0.05
"""The rate of false alarms of a base that requests none."""


@dataclass(frozen=True, slots=True)
class Measured:
    """A reviewed picture as the new version sees it.

    score: its raw score
    peak: the largest value of its map
    areas: the largest value of its map in each confirmed defect; of a normal picture, and without judged regions, empty
    """

    name: str
    score: float
    peak: float
    areas: tuple[float, ...] = ()

    @property
    def weakest(self) -> float:
        """The value that finds all of its confirmed defects if it exceeds the threshold of pixels."""
        return min(self.areas, default=self.peak)


@dataclass(frozen=True, slots=True)
class Thresholds:
    """New thresholds, and what they do.

    rate: the requested rate of false alarms
    pictures: the normal pictures that set them, those of the base included
    alarms: of the normal pictures
    missed: the names of the pictures with confirmed defects whose score does not exceed the threshold of pictures
    unmarked: the names of those with a confirmed defect that no pixel over the threshold of pixels marks
    lowered: whether confirmed defects have lowered the threshold of pictures
    """

    calibration: Calibration
    record: ThresholdRecord
    rate: float
    pictures: int
    alarms: FalseAlarmRecord
    missed: tuple[str, ...]
    unmarked: tuple[str, ...]
    lowered: bool


def new_thresholds(
    base: CalibrationRecord,
    normal: Sequence[Measured],
    defects: Sequence[Measured],
    false_positive_rate: float | None = None,
    *,
    base_counts: bool = True,
) -> Thresholds:
    """The thresholds for the base's normal pictures, reviewed normal pictures, and pictures with confirmed defects.

    The base keeps the values of its normal pictures.

    false_positive_rate: more than 0 and less than 1; None: that of the base
    base_counts: false if the scores of the base's normal pictures say nothing about this version
    """
    known = base.thresholds
    assert known is not None  # `read_base` requires it
    rate = false_positive_rate or base.false_positive_rate or RATE
    scores = [*(known.image_values if base_counts else ()), *(each.score for each in normal)]
    peaks = [*(known.pixel_values if base_counts else ()), *(each.peak for each in normal)]
    usual = _usual(scores, rate, known.image_margin)
    image = _lowered(usual, scores, rate, known.image_margin, [each.score for each in defects])
    pixel = _lowered(
        _usual(peaks, rate, known.pixel_margin), peaks, rate, known.pixel_margin, [each.weakest for each in defects]
    )
    calibration = calibration_at(image, pixel)
    record = ThresholdRecord(
        method="gumbel",
        image_limits=confidence_limits(scores, rate),
        pixel_limits=confidence_limits(peaks, rate),
        image_margin=known.image_margin,
        pixel_margin=known.pixel_margin,
        image_values=values_kept(scores),
        pixel_values=values_kept(peaks),
    )
    return Thresholds(
        calibration,
        record,
        rate,
        len(scores),
        false_alarms(scores, calibration.image_threshold),
        tuple(each.name for each in defects if each.score <= calibration.image_threshold),
        tuple(each.name for each in defects if each.weakest <= calibration.pixel_threshold),
        image < usual,
    )


def _usual(values: Sequence[float], rate: float, margin: float) -> float:
    """The threshold of a training on these normal pictures."""
    return clear_threshold(normal_threshold(values, rate), values, margin)


def _lowered(usual: float, normal: Sequence[float], rate: float, margin: float, wanted: Sequence[float]) -> float:
    """The threshold, lowered for those wanted values that it can find while at most `rate` of `normal` exceed it."""
    allowed = sorted(normal, reverse=True)[int(rate * len(normal))]  # fewer values are higher than the rate allows
    floor = allowed + margin  # values that rise by rounding stay under it
    return min([usual, *(max(just_below(value), floor) for value in wanted if value > floor)])
