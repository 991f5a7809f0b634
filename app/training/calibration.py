"""Calibration protocols: from which pictures thresholds are computed, and by which rule."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import ClassVar

from app.artifacts import AlikeRecord, FalseAlarmRecord, Protocol, ThresholdRecord, values_kept
from app.data import GOOD, DataModule, LabelledPicture, Loader, UnreadablePolicy, require_share, spread
from app.detectors import Detector
from app.errors import InvalidDataset
from app.evaluation import EvaluatedPicture, Evaluation, Procedure, evaluate
from app.evaluation.evaluate import ignore_picture
from app.pipeline import Outcome, TiledModel, predict
from app.progress import Progress, silent
from app.scoring import (
    Calibration,
    HighLevel,
    calibrate_on_normal,
    calibration_at,
    confidence_limits,
    f1_threshold,
    just_below,
    normal_threshold,
    share_bound,
    share_interval,
)
from app.training.alike import Sketches
from app.training.camera import Levels
from app.training.one_pass import OnePassFit
from app.training.precision_margin import precision_margins


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
    false_alarms: the normal pictures over the threshold; None: there is no normal picture that was not fitted to
    thresholds: how the thresholds were computed from normal pictures; None: not from them, or from a single one
    protocol: the protocol that was used; None: that of the division
    alike: the pictures that are alike; None: none, or they were not compared
    levels: the statistics of maps of normal pictures that were not fitted to
    normal_level: the value that 0.1 % of the values of the normal pictures' maps exceed; None: not measured
    """

    calibration: Calibration
    pictures: int
    anomalous_pictures: int
    false_positive_rate: float | None
    false_alarms: FalseAlarmRecord | None = None
    thresholds: ThresholdRecord | None = None
    protocol: Protocol | None = None
    alike: AlikeRecord | None = None
    levels: Levels = field(default_factory=Levels)
    normal_level: float | None = None


@dataclass(frozen=True, slots=True)
class ReadingOptions:
    """How the pictures of a calibration are read and run.

    workers: the number of processes that decode
    batch_tiles: the largest number of tiles in one batch; 0: the model's own
    unreadable: what happens when a picture cannot be read
    at_once: the largest number of pictures that are measured at once
    """

    workers: int
    batch_tiles: int
    unreadable: UnreadablePolicy
    at_once: int = 1

    @property
    def batch_tiles_of_each(self) -> int:
        """The largest number of tiles in one batch of each of the pictures at once; 0: the model's own."""
        return max(1, self.batch_tiles // self.at_once) if self.batch_tiles else 0


class CalibrationChoice(ABC):
    """A protocol, or a rule that chooses one for a detector."""

    @abstractmethod
    def for_detector(self, detector: Detector) -> "CalibrationProtocol":
        """The protocol for this detector; raises InvalidTraining if there is none."""


class CalibrationProtocol(CalibrationChoice):
    """A rule that computes thresholds from pictures.

    divide(data)               -> pictures to fit to, pictures to calibrate on
    calibrate(model, pictures) -> thresholds and ranges of a model that was fitted to the former pictures
    """

    measures_fitted: ClassVar[bool] = False
    """Whether the pictures to calibrate on are those that were fitted to, so that their features should be kept."""

    def for_detector(self, detector: Detector) -> "CalibrationProtocol":
        """The protocol itself."""
        return self

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
        fitted: OnePassFit | None = None,
    ) -> Calibrated:
        """Calibrates the model on these pictures; raises InvalidDataset if none of them can be read.

        `fitted` is the fit of a one-pass detector in the same training.
        """


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
        fitted: OnePassFit | None = None,
    ) -> Calibrated:
        paths, sketches = [each.path for each in pictures], Sketches()
        with Loader(paths, reading.workers, reading.unreadable, keep_bytes=0) as loader:
            read = sketches.watch(loader.numbered(), paths)
            outcomes = ((number, predict(model, each, reading.batch_tiles)) for number, each in read)
            found = calibrated_on_normal(model, paths, outcomes, self.false_positive_rate, reading, progress)
        return replace(found, alike=sketches.alike())


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
                "(--data.val_split_mode from_test), or calibrate on normal pictures only (HoldOut)"
            )
        return Division(data.train_pictures(), pictures, "labelled")

    def calibrate(
        self,
        model: TiledModel,
        pictures: Sequence[LabelledPicture],
        reading: ReadingOptions,
        progress: Progress = silent,
        fitted: OnePassFit | None = None,
    ) -> Calibrated:
        high = NormalMaps()
        found = calibrated_on_labels(
            evaluated(model, pictures, reading, progress, high.observe), self.false_positive_rate
        )
        return replace(found, normal_level=high.level)


class NormalMaps:
    """The level of the maps of the normal ones among evaluated pictures."""

    def __init__(self) -> None:
        self._high = HighLevel()

    def observe(self, each: EvaluatedPicture) -> None:
        """Takes the next evaluated picture."""
        if not each.result.anomalous:
            self._high.add(each.anomaly_map.numpy())

    @property
    def level(self) -> float | None:
        """See Calibrated.normal_level."""
        return self._high.value


def calibrated_on_normal(
    model: TiledModel,
    paths: Sequence[Path],
    outcomes: Iterable[tuple[int, Outcome]],
    false_positive_rate: float,
    reading: ReadingOptions,
    progress: Progress,
) -> Calibrated:
    """The calibration for a rate of false alarms, from the numbers and outcomes of those pictures that can be read.

    The thresholds keep the margins for reduced precision of `model`.
    """
    read, scores, peaks, levels, high = [], [], [], Levels(), HighLevel()
    for number, outcome in outcomes:
        read.append(paths[number])
        scores.append(outcome.raw_score)
        peaks.append(float(outcome.anomaly_map.max()))
        levels.add(model, outcome)
        high.add(outcome.anomaly_map.numpy())
        progress("calibration", len(scores), len(paths))
    margins = precision_margins(model, read, reading.batch_tiles, reading.unreadable, progress)
    calibration = calibrate_on_normal(scores, peaks, false_positive_rate, (margins.image, margins.pixel))
    thresholds = None
    if len(scores) > 1:
        thresholds = ThresholdRecord(
            method="gumbel",
            image_limits=confidence_limits(scores, false_positive_rate),
            pixel_limits=confidence_limits(peaks, false_positive_rate),
            image_margin=margins.image,
            pixel_margin=margins.pixel,
            image_values=values_kept(scores),
            pixel_values=values_kept(peaks),
        )
    alarms = false_alarms(scores, calibration.image_threshold)
    return Calibrated(
        calibration,
        len(scores),
        0,
        false_positive_rate,
        alarms,
        thresholds,
        levels=levels,
        normal_level=high.value,
    )


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
    normal = [result.raw_score for result in results if not result.anomalous]
    return Calibrated(calibration_at(image, pixel), len(results), sum(labels), None, false_alarms(normal, image))


def false_alarms(scores: Sequence[float], threshold: float) -> FalseAlarmRecord:
    """The scores of normal pictures over the threshold, and the 95 % interval of their rate."""
    exceeded = sum(score > threshold for score in scores)
    low, high = share_interval(exceeded, len(scores))
    bound = share_bound(exceeded, len(scores))
    return FalseAlarmRecord(pictures=len(scores), exceeded=exceeded, low=low, high=high, bound=bound)


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
