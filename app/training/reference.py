"""The calibration of the reference library."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf

from app.data import DataModule, LabelledPicture
from app.errors import InvalidDataset
from app.evaluation import EvaluatedPicture, Evaluation
from app.pipeline import TiledModel
from app.progress import Progress, silent
from app.scoring import calibrate_as_reference
from app.training.calibration import Calibrated, CalibrationProtocol, Division, ReadingOptions, evaluated
from app.training.one_pass import OnePassFit


@dataclass(frozen=True)
class Reference(CalibrationProtocol):
    """Calibration as in anomalib, for comparisons: on the validation pictures or, without these, on the test pictures.

    Metrics on pictures that thresholds were fitted to are too good.
    """

    def divide(self, data: DataModule) -> Division:
        pictures = data.validation_pictures() or data.test_pictures()
        if not pictures:
            raise InvalidDataset(
                "the reference's calibration needs labelled pictures, and there are none; calibrate on normal ones "
                "(HoldOut)"
            )
        return Division(data.train_pictures(), pictures, "reference")

    def calibrate(
        self,
        model: TiledModel,
        pictures: Sequence[LabelledPicture],
        reading: ReadingOptions,
        progress: Progress = silent,
        fitted: OnePassFit | None = None,
    ) -> Calibrated:
        extent = _Extent()
        found = evaluated(model, pictures, reading, progress, extent)
        labels = [result.anomalous for result in found.pictures]
        calibration = calibrate_as_reference(
            [result.raw_score for result in found.pictures],
            labels,
            _reference_pixel_threshold(found, extent),
            (extent.low, extent.high),
        )
        return Calibrated(calibration, len(labels), sum(labels), None)


class _Extent:
    """The smallest and the largest value of all maps."""

    def __init__(self) -> None:
        self.low, self.high = inf, -inf

    def __call__(self, evaluated: EvaluatedPicture) -> None:
        low, high = evaluated.anomaly_map.aminmax()
        self.low, self.high = min(self.low, float(low)), max(self.high, float(high))


def _reference_pixel_threshold(found: Evaluation, extent: _Extent) -> float | None:
    """The threshold with the best F1 of pixels; None if anomalous pictures have no masks.

    Without anomalous pixels it is the largest value of the maps, without normal pixels the smallest.
    """
    if found.pixel is None:
        return None if found.image.anomalous else extent.high
    if found.pixel.ranking is None:
        return extent.low if found.pixel.anomalous else extent.high
    return found.pixel.ranking.best_f1.threshold
