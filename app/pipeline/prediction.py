"""Interprets the outcome of a picture by the model's calibration."""

from dataclasses import dataclass
from enum import StrEnum

from torch import Tensor

from app.pipeline.assembly import Outcome
from app.pipeline.roi import Roi
from app.scoring import Calibration, find_regions

THRESHOLD = 0.5


@dataclass(frozen=True, slots=True)
class Criteria:
    """What counts as anomalous.

    threshold: normalised scores and map values over this are anomalous, in [0, 1]; 0.5 is the calibrated threshold
    min_region_area: the smallest number of connected pixels over the threshold that form a defect region
    """

    threshold: float = THRESHOLD
    min_region_area: int = 1


CALIBRATED = Criteria()


@dataclass(frozen=True, slots=True)
class Question:
    """The options of a prediction.

    criteria: what counts as anomalous
    roi: the region of interest that is computed; None: the whole picture
    """

    criteria: Criteria = CALIBRATED
    roi: Roi | None = None


USUAL = Question()


class Label(StrEnum):
    """The verdict on a picture."""

    normal = "normal"
    anomalous = "anomalous"


@dataclass(frozen=True, slots=True)
class DefectRegion:
    """Connected pixels of the picture over the threshold; `score` is the normalised value at `peak` (row, column).

    Positions are pixels of the whole picture. With a region of interest, only the pixels inside it belong to the
    defect region.
    """

    top: int
    left: int
    height: int
    width: int
    area: int
    score: float
    peak: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Prediction:
    """A calibrated outcome: `score` is in [0, 1]; over `criteria.threshold`, the picture is anomalous.

    With a region of interest, the map has the size of that region, and the score is that of the region.
    """

    score: float
    raw_score: float
    label: Label
    regions: tuple[DefectRegion, ...]
    anomaly_map: Tensor  # [H,W] float32 on the CPU, not normalised
    criteria: Criteria


def interpret(outcome: Outcome, calibration: Calibration, question: Question = USUAL) -> Prediction:
    """The prediction for a picture, or for the region of interest in `question`, from its outcome."""
    found, criteria, roi = outcome.anomaly_map, question.criteria, question.roi
    top, left = (roi.top, roi.left) if roi else (0, 0)
    span = calibration.pixel_max - calibration.pixel_min
    regions = []
    threshold = calibration.raw_value(criteria.threshold)
    for region in find_regions(found.numpy(), threshold, criteria.min_region_area):
        score = min((region.peak_value - calibration.pixel_threshold) / span + THRESHOLD, 1.0)
        place = top + region.top, left + region.left, region.height, region.width
        peak = top + region.peak[0], left + region.peak[1]
        regions.append(DefectRegion(*place, region.area, score, peak))
    score = calibration.normalise_score(outcome.raw_score)
    anomalous = score > criteria.threshold
    return Prediction(
        score,
        outcome.raw_score,
        Label.anomalous if anomalous else Label.normal,
        tuple(regions),
        found,
        criteria,
    )
