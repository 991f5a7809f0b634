"""Calibration protocols: from which pictures thresholds are computed, and by which rule."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from math import inf
from pathlib import Path

from app.artifacts import Protocol
from app.data import GOOD, DataModule, LabelledPicture, UnreadablePolicy, decoded, require_share, spread
from app.errors import InvalidDataset
from app.evaluation import EvaluatedPicture, Evaluation, Procedure, evaluate
from app.evaluation.evaluate import ignore_picture
from app.pipeline import Outcome, TiledModel, predict
from app.progress import Progress, silent
from app.scoring import (
    Calibration,
    calibrate_as_reference,
    calibrate_on_normal,
    calibration_at,
    f1_threshold,
    just_below,
    normal_threshold,
)


@dataclass(frozen=True, slots=True)
class Division:
    """The pictures of a dataset, divided by a protocol.

    fit: the pictures to fit to
    calibrate: the pictures to calibrate on
    protocol: the name of the protocol in the manifest
    """

    fit: list[Path]
    calibrate: list[LabelledPicture]
    protocol: Protocol


@dataclass(frozen=True, slots=True)
class Calibrated:
    """The result of a calibration.

    calibration: the thresholds and ranges
    pictures: the number of pictures that were used
    anomalous_pictures: the number of anomalous pictures among them
    false_positive_rate: the requested rate of false alarms; None: the protocol has none
    """

    calibration: Calibration
    pictures: int
    anomalous_pictures: int
    false_positive_rate: float | None


@dataclass(frozen=True, slots=True)
class ReadingOptions:
    """How the pictures of a calibration are read and run.

    workers: the number of processes that decode
    batch_tiles: the largest number of tiles in one batch
    unreadable: what happens when a picture cannot be read
    """

    workers: int
    batch_tiles: int
    unreadable: UnreadablePolicy


class CalibrationProtocol(ABC):
    """A rule that computes thresholds from pictures.

    divide(data)               -> pictures to fit to, pictures to calibrate on
    calibrate(model, pictures) -> thresholds and ranges of a model that was fitted to the former pictures
    """

    @abstractmethod
    def divide(self, data: DataModule) -> Division:
        """Divides the pictures; raises InvalidDataset if the data lacks pictures that the protocol needs."""

    @abstractmethod
    def calibrate(
        self,
        model: TiledModel,
        pictures: Sequence[LabelledPicture],
        reading: ReadingOptions,
        progress: Progress = silent,
    ) -> Calibrated:
        """Calibrates the model on these pictures; raises InvalidDataset if none of them can be read."""


@dataclass(frozen=True)
class HoldOut(CalibrationProtocol):
    """Calibration on held-out normal pictures, for a requested rate of false alarms.

    Needs no pictures of defects. The held-out pictures are spread evenly, and not trained on. A single picture is used
    for both training and calibration.

    Args:
        share: the share of the normal pictures that is held out; at least one picture
        false_positive_rate: the requested rate of false alarms, more than 0 and less than 1
    """

    share: float = 0.2
    false_positive_rate: float = 0.05

    def __post_init__(self) -> None:
        require_share("calibration.share", self.share)
        require_share("calibration.false_positive_rate", self.false_positive_rate)

    def divide(self, data: DataModule) -> Division:
        normal = data.train_pictures()
        if len(normal) == 1:
            return Division(normal, as_normal(normal), "training-normal")
        fit, held_out = spread(normal, min(max(1, round(len(normal) * self.share)), len(normal) - 1))
        return Division(fit, as_normal(held_out), "held-out-normal")

    def calibrate(
        self,
        model: TiledModel,
        pictures: Sequence[LabelledPicture],
        reading: ReadingOptions,
        progress: Progress = silent,
    ) -> Calibrated:
        paths = [each.path for each in pictures]
        read = decoded(paths, reading.workers, reading.unreadable)
        outcomes = (predict(model, picture, reading.batch_tiles) for picture in read)
        return calibrated_on_normal(model, paths, outcomes, self.false_positive_rate, reading, progress)


@dataclass(frozen=True)
class Labelled(CalibrationProtocol):
    """Calibration on labelled validation pictures: the thresholds with the best F1 of pictures and of pixels.

    Args:
        false_positive_rate: for the pixel threshold if there are no masks: the share of normal pictures whose map
            exceeds the threshold, more than 0 and less than 1
    """

    false_positive_rate: float = 0.05

    def __post_init__(self) -> None:
        require_share("calibration.false_positive_rate", self.false_positive_rate)

    def divide(self, data: DataModule) -> Division:
        pictures = data.validation_pictures()
        anomalous = sum(picture.anomalous for picture in pictures)
        if not 0 < anomalous < len(pictures):
            raise InvalidDataset(
                f"labelled calibration needs normal and anomalous validation pictures, and there are "
                f"{len(pictures) - anomalous} and {anomalous}; take some of the test pictures "
                "(val_split_mode=from_test), or calibrate on normal pictures only (HoldOut)"
            )
        return Division(data.train_pictures(), pictures, "labelled")

    def calibrate(
        self,
        model: TiledModel,
        pictures: Sequence[LabelledPicture],
        reading: ReadingOptions,
        progress: Progress = silent,
    ) -> Calibrated:
        return calibrated_on_labels(evaluated(model, pictures, reading, progress), self.false_positive_rate)


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


def calibrated_on_normal(
    model: TiledModel,
    paths: Sequence[Path],
    outcomes: Iterable[Outcome],
    false_positive_rate: float,
    reading: ReadingOptions,
    progress: Progress,
) -> Calibrated:
    """The calibration for a rate of false alarms, from the outcomes of these normal pictures, or those of them that
    can be read.
    """
    scores, peaks = [], []
    for outcome in outcomes:
        scores.append(outcome.raw_score)
        peaks.append(float(outcome.anomaly_map.max()))
        progress("calibration", len(scores), len(paths))
    return Calibrated(calibrate_on_normal(scores, peaks, false_positive_rate), len(scores), 0, false_positive_rate)


def calibrated_on_labels(found: Evaluation, false_positive_rate: float) -> Calibrated:
    """The calibration with the best F1 of the evaluated pictures, and of their pixels.

    Without masks, the pixel threshold is that for a rate of false alarms. Raises InvalidDataset unless there are normal
    and anomalous pictures.
    """
    results = found.pictures
    labels = [result.anomalous for result in results]
    if len(set(labels)) < 2:
        raise InvalidDataset("of the validation pictures that can be read, all are normal or all anomalous")
    image = f1_threshold([result.raw_score for result in results], labels)
    if found.pixel and found.pixel.ranking:
        pixel = just_below(found.pixel.ranking.best_f1.threshold)
    else:
        peaks = [result.peak for result in results if not result.anomalous]
        pixel = normal_threshold(peaks, false_positive_rate)
    return Calibrated(calibration_at(image, pixel), len(results), sum(labels), None)


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


def evaluated(
    model: TiledModel,
    pictures: Sequence[LabelledPicture],
    reading: ReadingOptions,
    progress: Progress,
    observe: Callable[[EvaluatedPicture], None] | None = None,
) -> Evaluation:
    procedure = Procedure(reading.workers, reading.batch_tiles, reading.unreadable.action)

    def report(stage: str, done: int, total: int, note: str = "") -> None:
        progress("calibration" if stage == "pictures" else stage, done, total, note)

    found = evaluate(model, pictures, None, procedure, report, observe or ignore_picture)
    for lost in found.unreadable:
        reading.unreadable.report(lost.path, lost.reason.removeprefix(f"{lost.path} cannot be read: "))
    return found


def as_normal(paths: Sequence[Path]) -> list[LabelledPicture]:
    return [LabelledPicture(path, GOOD, None) for path in paths]
