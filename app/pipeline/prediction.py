"""Interprets the outcome of a picture by the model's calibration."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TypeVar

from torch import Tensor

from app.pipeline.assembly import Outcome
from app.pipeline.blocks import Coverage
from app.pipeline.roi import Roi
from app.scoring import Calibration, Region, find_regions
from app.tiling import Size
from app.zones import Zones

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
    partial: whether a time limit ends the work with an answer for what was looked at by then
    evidence: whether the answer has evidence for the regions
    """

    criteria: Criteria = CALIBRATED
    roi: Roi | None = None
    partial: bool = False
    evidence: bool = False


USUAL = Question()


class Label(StrEnum):
    """The verdict on a picture. It is `undecided` only for requests with `partial`: part of the picture was not looked
    at, and what was looked at is not anomalous. New values may be added, for requests that ask for something new.
    """

    normal = "normal"
    anomalous = "anomalous"
    undecided = "undecided"


@dataclass(frozen=True, slots=True)
class DefectRegion:
    """Connected pixels of the picture over the threshold; `score` is the normalised value at `peak` (row, column).

    Positions are pixels of the whole picture. With a region of interest, only the pixels inside it belong to the
    defect region.

    zone: the name of the zone in which the peak lies; None: it lies in none, or `in_zones` was not called
    """

    top: int
    left: int
    height: int
    width: int
    area: int
    score: float
    peak: tuple[int, int]
    zone: str | None = None


@dataclass(frozen=True, slots=True)
class Judgement:
    """A calibrated verdict: `score` is in [0, 1]; over `criteria.threshold`, the picture is anomalous.

    With a region of interest, the score is that of the region.

    coverage: how much was looked at; None: all, because nothing else was asked for. If that is not all, the score and
        the regions are those of what was looked at, and the picture is never normal
    """

    score: float
    raw_score: float
    label: Label
    regions: tuple[DefectRegion, ...]
    criteria: Criteria
    coverage: Coverage | None = field(default=None, kw_only=True)


@dataclass(frozen=True, slots=True)
class Prediction(Judgement):
    """A judgement with its map, which has the size of the picture or of the region of interest.

    Values of the map are -inf where the picture was not looked at.
    """

    anomaly_map: Tensor  # [H,W] float32 on the CPU, not normalised


J = TypeVar("J", bound=Judgement)


def interpret(outcome: Outcome, calibration: Calibration, question: Question = USUAL) -> Prediction:
    """The prediction for a picture, or for the region of interest in `question`, from its outcome."""
    found, criteria = outcome.anomaly_map, question.criteria
    threshold = calibration.raw_value(criteria.threshold)
    regions = find_regions(found.numpy(), threshold, criteria.min_region_area)
    judged = judge(outcome.raw_score, regions, calibration, question, outcome.coverage)
    return Prediction(
        judged.score, judged.raw_score, judged.label, judged.regions, criteria, found, coverage=judged.coverage
    )


def judge(
    raw_score: float,
    regions: Iterable[Region],
    calibration: Calibration,
    question: Question = USUAL,
    coverage: Coverage | None = None,
) -> Judgement:
    """The judgement of a picture with this raw score, and with these regions of its map."""
    score, criteria = calibration.normalise_score(raw_score), question.criteria
    unsuspicious = Label.normal if coverage is None or coverage.complete else Label.undecided
    label = Label.anomalous if score > criteria.threshold else unsuspicious
    found = tuple(defect_region(region, calibration, question) for region in regions)
    return Judgement(score, raw_score, label, found, criteria, coverage=coverage)


def defect_region(region: Region, calibration: Calibration, question: Question = USUAL) -> DefectRegion:
    """A region of the map, in pixels of the picture."""
    top, left = (question.roi.top, question.roi.left) if question.roi else (0, 0)
    span = calibration.pixel_max - calibration.pixel_min
    score = min((region.peak_value - calibration.pixel_threshold) / span + THRESHOLD, 1.0)
    peak = top + region.peak[0], left + region.peak[1]
    return DefectRegion(top + region.top, left + region.left, region.height, region.width, region.area, score, peak)


def in_zones(regions: Sequence[DefectRegion], zones: Zones | None, size: Size) -> tuple[DefectRegion, ...]:
    """The regions of a picture of `size`, (height, width), with the names of the zones in which their peaks lie."""
    if zones is None:
        return tuple(regions)
    names = zones.names([region.peak for region in regions], size)
    return tuple(replace(region, zone=name) for region, name in zip(regions, names, strict=True))


def with_zones(judgement: J, zones: Zones | None, size: Size) -> J:
    """The judgement of a picture of `size`, (height, width), whose regions have the names of their zones."""
    return judgement if zones is None else replace(judgement, regions=in_zones(judgement.regions, zones, size))
