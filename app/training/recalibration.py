"""Sets new thresholds for a fitted model, without training."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from app.artifacts import BaselineRecord, Protocol
from app.data import LabelledPicture, Loader
from app.errors import InvalidDataset, InvalidParameter
from app.evaluation import EvaluatedPicture
from app.pipeline import Outcome, TiledModel, predict
from app.progress import Progress
from app.scoring import Calibration, calibration_at, recall_threshold
from app.scoring.calibration import LEAST
from app.training.alike import Sketches
from app.training.calibration import (
    Calibrated,
    NormalMaps,
    ReadingOptions,
    calibrated_on_labels,
    calibrated_on_normal,
    evaluated,
)
from app.training.camera import CameraPictures

RATE = 0.05
"""The rate of false alarms if none is requested."""


@dataclass(frozen=True, slots=True)
class Goal:
    """What the new thresholds are to achieve; without any, the best F1, or RATE if no picture is anomalous.

    recall: the share of the anomalous pictures to find, more than 0 and at most 1
    false_positive_rate: the rate of false alarms among normal pictures, more than 0 and less than 1
    image_threshold, pixel_threshold: values in the scale of the scores of the present calibration, in which 0.5 is the
        present threshold, more than 0 and less than 1
    """

    recall: float | None = None
    false_positive_rate: float | None = None
    image_threshold: float | None = None
    pixel_threshold: float | None = None

    def __post_init__(self) -> None:
        given = {name: value for name, value in asdict(self).items() if value is not None}
        for name, value in given.items():
            if not (0 < value < 1 or (name == "recall" and value == 1)):
                scale = " (the scale of scores; 0.5 is the present threshold)" if name.endswith("threshold") else ""
                raise InvalidParameter(f"{name} is {value:g}; use more than 0 and less than 1{scale}")
        if len(given) > 1 and given.keys() != {"image_threshold", "pixel_threshold"}:
            raise InvalidParameter(f"{' and '.join(given)} exclude each other; give one, or the two thresholds")

    @property
    def values(self) -> bool:
        """Whether the thresholds are given as values, so that no pictures are needed."""
        return self.image_threshold is not None or self.pixel_threshold is not None


@dataclass(frozen=True, slots=True)
class Scored:
    """A picture that a recalibration has measured."""

    path: Path
    anomalous: bool
    raw_score: float


@dataclass(frozen=True, slots=True)
class Recalibrated:
    """The result of a recalibration.

    protocol: how the thresholds were found
    calibrated: the thresholds, and the numbers of pictures that set them
    used: the pictures that set the thresholds
    scored: all pictures that were measured
    camera: the statistics of the normal pictures that set the thresholds; None: too few, or other thresholds
    """

    protocol: Protocol
    calibrated: Calibrated
    used: tuple[Path, ...]
    scored: tuple[Scored, ...]
    camera: BaselineRecord | None = None


def recalibrate(
    model: TiledModel, goal: Goal, pictures: Sequence[LabelledPicture], reading: ReadingOptions, progress: Progress
) -> Recalibrated:
    """New thresholds of a calibrated model.

    With values, the pictures only show what the thresholds do. For a rate of false alarms, the normal ones of the
    pictures set the thresholds; for a recall or the best F1, all of them. Raises InvalidDataset if pictures that the
    goal needs are missing, and InvalidParameter for a value that is no threshold.
    """
    anomalous = sum(picture.anomalous for picture in pictures)
    if goal.values:
        return _by_values(model, goal, pictures, reading, progress)
    if goal.recall is None and (goal.false_positive_rate is not None or not anomalous):
        return _on_normal(model, goal.false_positive_rate or RATE, pictures, reading, progress)
    if not anomalous or (goal.recall is None and anomalous == len(pictures)):
        raise InvalidDataset(
            f"there are {len(pictures) - anomalous} normal and {anomalous} anomalous pictures. A recall needs "
            "anomalous pictures, and the best F1 needs both kinds"
        )
    return _on_labels(model, goal.recall, pictures, reading, progress)


def _by_values(
    model: TiledModel, goal: Goal, pictures: Sequence[LabelledPicture], reading: ReadingOptions, progress: Progress
) -> Recalibrated:
    new = present = _present(model)
    if goal.image_threshold is not None:
        raw = present.image_threshold + (goal.image_threshold - 0.5) * (present.image_max - present.image_min)
        new = replace(new, image_threshold=_positive("image_threshold", raw), image_min=0.0, image_max=2 * raw)
    if goal.pixel_threshold is not None:
        raw = present.raw_value(goal.pixel_threshold)
        new = replace(new, pixel_threshold=_positive("pixel_threshold", raw), pixel_min=0.0, pixel_max=2 * raw)
    scored: list[Scored] = []
    for _ in _outcomes(model, pictures, reading, scored):
        progress("pictures", len(scored), len(pictures))
    return Recalibrated("manual", Calibrated(new, 0, 0, None), (), tuple(scored))


def _positive(name: str, raw: float) -> float:
    if raw < LEAST:
        raise InvalidParameter(
            f"{name} would be a raw value of {raw:.4g}, which every picture exceeds; use a higher one"
        )
    return raw


def _on_normal(
    model: TiledModel, rate: float, pictures: Sequence[LabelledPicture], reading: ReadingOptions, progress: Progress
) -> Recalibrated:
    normal, anomalous = ([picture for picture in pictures if picture.anomalous is label] for label in (False, True))
    if not normal:
        raise InvalidDataset("a rate of false alarms needs normal pictures, and there are none; ask for a recall")
    scored: list[Scored] = []
    sketches, camera = Sketches(), CameraPictures(model)
    outcomes = _outcomes(model, normal, reading, scored, sketches, camera)
    found = calibrated_on_normal(model, [each.path for each in normal], outcomes, rate, reading, progress)
    calibrated = replace(found, alike=sketches.alike())
    used = tuple(each.path for each in scored)
    for _ in _outcomes(model, anomalous, reading, scored):
        progress("anomalous", len(scored) - len(used), len(anomalous))
    return Recalibrated("held-out-normal", calibrated, used, tuple(scored), camera.baseline(found.levels))


def _on_labels(
    model: TiledModel,
    recall: float | None,
    pictures: Sequence[LabelledPicture],
    reading: ReadingOptions,
    progress: Progress,
) -> Recalibrated:
    peaks: list[float] = []
    normal = NormalMaps()

    def observe(each: EvaluatedPicture) -> None:
        peaks.append(_defect_peak(each))
        normal.observe(each)

    found = evaluated(model, pictures, reading, progress, observe)
    results = found.pictures
    scored = tuple(Scored(each.path, each.anomalous, each.raw_score) for each in results)
    labels = [each.anomalous for each in results]
    if recall is None:
        calibrated = calibrated_on_labels(found, RATE)
    elif not any(labels):
        raise InvalidDataset("no anomalous picture can be read; a recall needs some")
    else:
        image = recall_threshold([each.raw_score for each in results], labels, recall)
        pixel = recall_threshold(peaks, labels, recall)
        calibrated = Calibrated(calibration_at(image, pixel), len(results), sum(labels), None)
    calibrated = replace(calibrated, normal_level=normal.level)
    return Recalibrated("labelled", calibrated, tuple(each.path for each in scored), scored)


def _defect_peak(each: EvaluatedPicture) -> float:
    """The largest value of the map inside the mask of the defects; of the whole map where there is no such mask."""
    if each.result.anomalous and each.mask is not None and each.mask.any():
        return float(each.anomaly_map.numpy()[each.mask].max())
    return each.result.peak


def _outcomes(
    model: TiledModel,
    pictures: Sequence[LabelledPicture],
    reading: ReadingOptions,
    scored: list[Scored],
    sketches: Sketches | None = None,
    camera: CameraPictures | None = None,
) -> Iterator[tuple[int, Outcome]]:
    """Yields the numbers and outcomes of the pictures that can be read, and adds their scores to `scored`.

    Sketches of the pictures are added to `sketches`, and their statistics to `camera`.
    """
    paths = [each.path for each in pictures]
    with Loader(paths, reading.workers, reading.unreadable, keep_bytes=0) as loader:
        read = camera.watch(loader.numbered()) if camera else loader.numbered()
        for number, image in sketches.watch(read, paths) if sketches else read:
            outcome = predict(model, image, reading.batch_tiles)
            scored.append(Scored(pictures[number].path, pictures[number].anomalous, outcome.raw_score))
            yield number, outcome


def _present(model: TiledModel) -> Calibration:
    if model.calibration is None:
        raise InvalidParameter("the model has no thresholds; calibrate it first")
    return model.calibration
