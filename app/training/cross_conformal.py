"""Calibration on all pictures, each measured by a detector that was not fitted to it.

The method is CV+, or the jackknife+ where each picture is a fold: Barber et al. 2021, doi:10.1214/20-AOS1965.
"""

from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

from app.artifacts import Protocol
from app.data import DataModule, LabelledPicture, Loader, require_share
from app.detectors import Detector, Features, GradientDetector
from app.errors import InvalidTraining
from app.pipeline import Outcome, Prepared, TiledModel, assembled
from app.progress import Progress, silent
from app.training.calibration import (
    Calibrated,
    CalibrationChoice,
    CalibrationProtocol,
    Division,
    HoldOut,
    ReadingOptions,
    as_normal,
    calibrated_on_normal,
)
from app.training.one_pass import OnePassFit
from app.training.side_by_side import side_by_side


@dataclass(frozen=True)
class CrossConformal(CalibrationProtocol):
    """Calibration on the normal pictures that are trained on, each by a detector without the picture's fold.

    No picture is held out: all are trained on, and all are calibrated on. Only for detectors that are fitted in one
    pass. A single picture is measured by the detector that was fitted to it.

    Args:
        false_positive_rate: the requested rate of false alarms, more than 0 and less than 1
    """

    false_positive_rate: float = 0.05
    measures_fitted: ClassVar[bool] = True

    def __post_init__(self) -> None:
        require_share("calibration.false_positive_rate", self.false_positive_rate)

    def for_detector(self, detector: Detector) -> CalibrationProtocol:
        if isinstance(detector, GradientDetector):
            raise InvalidTraining(
                f"the calibration CrossConformal would train {detector.name} once more for every fold; use HoldOut"
            )
        return self

    def divide(self, data: DataModule) -> Division:
        normal = data.train_pictures()
        return Division(normal, as_normal(normal), _protocol(len(normal)))

    def calibrate(
        self,
        model: TiledModel,
        pictures: Sequence[LabelledPicture],
        reading: ReadingOptions,
        progress: Progress = silent,
        fitted: OnePassFit | None = None,
    ) -> Calibrated:
        """See CalibrationProtocol. `pictures` are those that were fitted to, in their order."""
        if fitted is None:
            raise InvalidTraining("the calibration CrossConformal is a part of a training; use HoldOut")
        paths = [picture.path for picture in pictures]
        folds = fitted.fitter.folds(len(paths))
        found = HoldOut(false_positive_rate=self.false_positive_rate)
        if len(folds) < 2:
            return replace(found.calibrate(model, pictures, reading, progress), protocol=_protocol(1))
        with closing(_outcomes(model, paths, folds, reading, fitted)) as outcomes:
            return calibrated_on_normal(model, paths, outcomes, self.false_positive_rate, reading, progress)


@dataclass(frozen=True)
class Automatic(CalibrationChoice):
    """CrossConformal for detectors that are fitted in one pass, HoldOut for detectors that are trained in epochs.

    Args:
        share: with a share, normal pictures are held out for all detectors, as by HoldOut
        false_positive_rate: the requested rate of false alarms, more than 0 and less than 1
    """

    share: float | None = None
    false_positive_rate: float = 0.05

    def __post_init__(self) -> None:
        if self.share is not None:
            require_share("calibration.share", self.share)
        require_share("calibration.false_positive_rate", self.false_positive_rate)

    def for_detector(self, detector: Detector) -> CalibrationProtocol:
        if self.share is not None:
            return HoldOut(self.share, self.false_positive_rate)
        if isinstance(detector, GradientDetector):
            return HoldOut(false_positive_rate=self.false_positive_rate)
        return CrossConformal(self.false_positive_rate)


def _protocol(pictures: int) -> Protocol:
    return "cross-conformal" if pictures > 1 else "training-normal"


def _outcomes(
    model: TiledModel, paths: Sequence[Path], folds: Sequence[range], reading: ReadingOptions, fitted: OnePassFit
) -> Generator[tuple[int, Outcome], None, None]:
    """The number and the outcome of each picture by the detector without its fold."""
    yield from side_by_side(_measured, _to_measure(model, paths, folds, reading, fitted), reading.at_once)


def _measured(item: tuple[int, TiledModel, Prepared, Iterator[Features]]) -> tuple[int, Outcome]:
    number, without, prepared, outputs = item
    return number, assembled(without, outputs, prepared)


def _to_measure(
    model: TiledModel, paths: Sequence[Path], folds: Sequence[range], reading: ReadingOptions, fitted: OnePassFit
) -> Iterator[tuple[int, TiledModel, Prepared, Iterator[Features]]]:
    """The number of each picture, the model without its fold, and what that model measures."""
    remaining = iter(folds)
    fold = range(0)
    for number, prepared, outputs in _features(model, paths, reading, fitted):
        while number not in fold:
            fold = next(remaining)
            without = model.with_detector(fitted.fitter.without(fold))
        yield number, without, prepared, outputs


def _features(
    model: TiledModel, paths: Sequence[Path], reading: ReadingOptions, fitted: OnePassFit
) -> Iterator[tuple[int, Prepared, Iterator[Features]]]:
    """The number and the features of each picture: the stored ones first, then those of the network, run again."""
    number = -1
    for number, (prepared, outputs) in enumerate(fitted.store.pictures(model.device)):
        yield number, prepared, outputs
    if number + 1 == len(paths):
        return
    with Loader(paths, reading.workers, reading.unreadable, keep_bytes=0) as loader:
        for later, picture in loader.numbered(range(number + 1, len(paths))):
            prepared = model.prepare(picture)
            yield later, prepared, model.outputs(prepared, reading.batch_tiles_of_each)
