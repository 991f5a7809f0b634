"""Compares two models on the same pictures."""

from collections.abc import Mapping
from dataclasses import dataclass

from app.errors import InvalidDataset
from app.evaluation.figures import FIGURES, Figure
from app.evaluation.intervals import Metrics, grid_error, image_metrics, resampled
from app.evaluation.result import Evaluation, Level
from app.progress import Progress, silent
from app.scoring import delong, difference_interval, mcnemar, percentiles


@dataclass(frozen=True, slots=True)
class Difference:
    """A metric of two models, and the second less the first with its interval of LEVEL.

    low, high: None if the interval cannot be computed
    p_value: two-sided, of the hypothesis that both are equal; None for a bootstrap
    method: the name of the method of interval and p-value
    """

    first: float
    second: float
    low: float | None
    high: float | None
    p_value: float | None
    method: str

    @property
    def difference(self) -> float:
        """The second less the first."""
        return self.second - self.first


@dataclass(frozen=True, slots=True)
class Changes:
    """How many pictures of one label the models judge differently.

    first_only, second_only: the number of pictures that only this model calls anomalous
    total: the number of pictures of the label
    """

    first_only: int
    second_only: int
    total: int


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two models on the same pictures, each at its own threshold.

    image, pixel: differences by the names of the metrics in FIGURES
    defects, normal: the changes of verdicts on these pictures
    changed: the numbers of the pictures whose verdicts differ, those with the largest difference of scores first
    """

    image: Mapping[str, Difference]
    pixel: Mapping[str, Difference]
    defects: Changes
    normal: Changes
    changed: tuple[int, ...]


def compare(first: Evaluation, second: Evaluation, progress: Progress = silent) -> Comparison:
    """Compares evaluations with calibrations, and with the same pictures in the same order.

    Differences of AUROC of pictures are those of DeLong, differences of recall and of false alarms those of the score
    test of Tango and of McNemar; all others are paired bootstraps: both models get the same resamples. Raises
    InvalidDataset if the pictures differ.
    """
    if [each.path for each in first.pictures] != [each.path for each in second.pictures]:
        raise InvalidDataset("the two models were not evaluated on the same pictures, so that they cannot be compared")
    defects, normal = (_changes(first, second, label) for label in (True, False))
    image = _bootstrap(first, second, "image", progress) | _exact(first, second, defects, normal)
    pixel = _bootstrap(first, second, "pixel", progress)
    scores = [(a.score or 0.0) - (b.score or 0.0) for a, b in zip(first.pictures, second.pictures, strict=True)]
    pairs = enumerate(zip(first.pictures, second.pictures, strict=True))
    changed = [number for number, (a, b) in pairs if a.exceeds != b.exceeds]
    changed.sort(key=lambda number: abs(scores[number]), reverse=True)
    return Comparison(image, pixel, defects, normal, tuple(changed))


def _changes(first: Evaluation, second: Evaluation, anomalous: bool) -> Changes:
    pairs = [
        (bool(a.exceeds), bool(b.exceeds))
        for a, b in zip(first.pictures, second.pictures, strict=True)
        if a.anomalous == anomalous
    ]
    return Changes(pairs.count((True, False)), pairs.count((False, True)), len(pairs))


def _exact(first: Evaluation, second: Evaluation, defects: Changes, normal: Changes) -> dict[str, Difference]:
    found = {}
    for name, changes in (("recall", defects), ("false_positive_rate", normal)):
        values = _values(first.image, second.image, name)
        if values:
            counts = changes.first_only, changes.second_only
            ends, p_value = difference_interval(*counts, changes.total), mcnemar(*counts)
            found[name] = Difference(*values, *ends, p_value, "Tango, McNemar")
    values = _values(first.image, second.image, "auroc")
    if values and min(defects.total, normal.total) >= 2:
        scores = [[each.raw_score for each in evaluation.pictures] for evaluation in (first, second)]
        area = delong(scores[0], scores[1], [each.anomalous for each in first.pictures])
        found["auroc"] = Difference(*values, area.low, area.high, area.p_value, "DeLong")
    return found


def _bootstrap(first: Evaluation, second: Evaluation, name: str, progress: Progress) -> dict[str, Difference]:
    """The differences of a level, `image` or `pixel`."""
    labels = [each.anomalous for each in first.pictures]
    drawn, errors, levels = [], [], []
    for number, evaluation in enumerate((first, second), start=1):
        level, metrics, grid_errors = _level(evaluation, name)
        if level is None or metrics is None:
            return {}
        drawn.append(resampled(labels, metrics, progress, f"{name} intervals {number}"))
        errors.append(grid_errors)
        levels.append(level)
    found = {}
    for figure in FIGURES:
        values = _values(levels[0], levels[1], figure.name)
        if values and all(figure.name in each for each in drawn):
            error = errors[1].get(figure.name, 0.0) - errors[0].get(figure.name, 0.0)
            low, high = percentiles(drawn[1][figure.name] - drawn[0][figure.name] - error) or (None, None)
            found[figure.name] = Difference(*values, low, high, None, "paired bootstrap")
    return found


def _level(evaluation: Evaluation, name: str) -> tuple[Level | None, Metrics | None, Mapping[str, float]]:
    if name == "image":
        return evaluation.image, image_metrics(evaluation.pictures), {}
    if evaluation.pixel is None or evaluation.grid is None:
        return None, None, {}
    return (
        evaluation.pixel,
        evaluation.grid.metrics,
        grid_error(evaluation.pixel, evaluation.grid, len(evaluation.pictures)),
    )


def _values(first: Level, second: Level, name: str) -> tuple[float, float] | None:
    figure = _figure(name)
    values = figure.of(first), figure.of(second)
    return None if values[0] is None or values[1] is None else (values[0], values[1])


def _figure(name: str) -> Figure:
    return next(figure for figure in FIGURES if figure.name == name)
