"""How a version sees a picture, and which confirmed defects of it the version finds."""

from dataclasses import dataclass

from app.pipeline import Outcome, TiledModel
from app.reviews import ReviewedPicture, ReviewLabel, Ring
from app.scoring import Calibration
from app.teaching.learning.areas import peak_within


@dataclass(frozen=True, slots=True)
class View:
    """What a version says about a picture.

    score: normalised, in [0, 1]; over 0.5 the picture is anomalous
    found: for each confirmed defect, whether the version finds it
    """

    score: float
    anomalous: bool
    found: tuple[bool, ...]


def view_of(model: TiledModel, outcome: Outcome, review: ReviewedPicture | None) -> View:
    """A picture as a calibrated model sees it.

    A confirmed defect is found if the picture is anomalous, and a pixel over the threshold of pixels lies within the
    defect. A picture that is a defect as a whole is found if it is anomalous.
    """
    calibration = calibration_of(model)
    anomalous = outcome.raw_score > calibration.image_threshold
    if review is None or review.label is not ReviewLabel.defect:
        found: tuple[bool, ...] = ()
    else:
        values = [peak_within(area, outcome.anomaly_map) for area in defects_of(review)]
        found = tuple(anomalous and value > calibration.pixel_threshold for value in values) or (anomalous,)
    return View(calibration.normalise_score(outcome.raw_score), anomalous, found)


def calibration_of(model: TiledModel) -> Calibration:
    """The calibration of a model that was written, or is about to be."""
    assert model.calibration is not None  # `write_artifact` requires it
    return model.calibration


def defects_of(review: ReviewedPicture) -> list[tuple[Ring, ...]]:
    """The areas that a person called defects, or drew; empty: the picture as a whole."""
    return [each.rings for each in review.regions if each.label is ReviewLabel.defect]
