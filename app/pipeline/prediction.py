"""What an outcome means by the model's calibration."""

from dataclasses import dataclass
from enum import StrEnum

from torch import Tensor

from app.pipeline.model import Outcome
from app.scoring import Calibration, find_regions

THRESHOLD = 0.5


class Label(StrEnum):
    """What a picture is taken for."""

    normal = "normal"
    anomalous = "anomalous"


@dataclass(frozen=True, slots=True)
class DefectRegion:
    """Connected pixels of the picture over the threshold; `score` is the normalised value at `peak` (row, column)."""

    top: int
    left: int
    height: int
    width: int
    area: int
    score: float
    peak: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Prediction:
    """A calibrated outcome: `score` is in [0, 1], and over 0.5 the picture is anomalous."""

    score: float
    raw_score: float
    label: Label
    regions: tuple[DefectRegion, ...]
    anomaly_map: Tensor  # [H,W] float32 on the CPU, not normalised


def interpret(outcome: Outcome, calibration: Calibration) -> Prediction:
    """The prediction that an outcome amounts to."""
    found = outcome.anomaly_map
    span = calibration.pixel_max - calibration.pixel_min
    regions = []
    for region in find_regions(found.numpy(), calibration.pixel_threshold):
        score = min((region.peak_value - calibration.pixel_threshold) / span + THRESHOLD, 1.0)
        place = region.top, region.left, region.height, region.width
        regions.append(DefectRegion(*place, region.area, score, region.peak))
    anomalous = outcome.raw_score > calibration.image_threshold
    return Prediction(
        calibration.normalise_score(outcome.raw_score),
        outcome.raw_score,
        Label.anomalous if anomalous else Label.normal,
        tuple(regions),
        found,
    )
