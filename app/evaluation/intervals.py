"""Confidence intervals of an evaluation's metrics.

Recall and the rate of false alarms of pictures are shares, whose intervals are exact. All other intervals are those of
a bootstrap over pictures. The metrics of pixels in resamples come from the counts of a PixelGrid. Their intervals are
moved by the difference between the exact metric and the metric of these counts, which is reported.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.evaluation.figures import FIGURES
from app.evaluation.pixel_grid import PixelGrid
from app.evaluation.result import Evaluation, Level, PictureResult
from app.progress import Progress, silent
from app.scoring import (
    RESAMPLES,
    Confusion,
    Interval,
    percentiles,
    resamples,
    share_interval,
    weighted_confusion,
    weighted_ranking,
    weighted_steps,
)

Floats = NDArray[np.float64]
Metrics = Callable[[Floats], Mapping[str, Floats]]
"""The metrics of resamples by their names in FIGURES, [b] each, from the weights of the pictures, [b,n]."""


@dataclass(frozen=True, slots=True)
class Intervals:
    """Intervals by the names of the metrics in FIGURES; metrics that could not be measured are missing.

    image, pixel: the intervals of the metrics of pictures and of pixels
    grid_error: the metrics of pixels from the counts of the grid, less the exact metrics
    """

    image: Mapping[str, Interval]
    pixel: Mapping[str, Interval]
    grid_error: Mapping[str, float]


def measure_intervals(evaluation: Evaluation, progress: Progress = silent) -> Intervals:
    """The intervals of an evaluation, with those of pixels if it has a grid."""
    labels = [result.anomalous for result in evaluation.pictures]
    image = resampled(labels, image_metrics(evaluation.pictures), progress)
    intervals = _percentiles(evaluation.image, image, {})
    if evaluation.image.at_threshold:
        intervals |= share_intervals_of(evaluation.image.at_threshold)
    if evaluation.grid is None or evaluation.pixel is None:
        return Intervals(intervals, {}, {})
    error = grid_error(evaluation.pixel, evaluation.grid, len(labels))
    pixel = resampled(labels, evaluation.grid.metrics, progress, "pixel intervals")
    return Intervals(intervals, _percentiles(evaluation.pixel, pixel, error), error)


def share_intervals_of(found: Confusion) -> dict[str, Interval]:
    """The exact intervals of recall and of the false-positive rate; without those that could not be measured."""
    defects, normal = found.true_positives + found.false_negatives, found.false_positives + found.true_negatives
    counted = {"recall": (found.true_positives, defects), "false_positive_rate": (found.false_positives, normal)}
    return {name: share_interval(*counts) for name, counts in counted.items() if counts[1]}


def resampled(
    labels: Sequence[bool], metrics: Metrics, progress: Progress = silent, stage: str = "intervals"
) -> dict[str, Floats]:
    """The metrics in all resamples, [RESAMPLES] each; the same resamples for pictures with the same labels."""
    blocks: list[Mapping[str, Floats]] = []
    done = 0
    for weights in resamples(labels):
        blocks.append(metrics(weights))
        done += len(weights)
        progress(stage, done, RESAMPLES)
    return {name: np.concatenate([block[name] for block in blocks]) for name in blocks[0]}


def image_metrics(pictures: Sequence[PictureResult]) -> Metrics:
    """The metrics of pictures."""
    labels, scores = np.array([each.anomalous for each in pictures]), [each.raw_score for each in pictures]

    def measure(weights: Floats) -> Mapping[str, Floats]:
        measured = weighted_ranking(*weighted_steps(scores, labels, weights))
        if pictures[0].exceeds is not None:
            over = np.array([each.exceeds for each in pictures])
            chosen = (over & labels, over & ~labels, labels, ~labels)
            measured |= weighted_confusion(*(weights[:, each].sum(1) for each in chosen))
        return measured

    return measure


def grid_error(level: Level, grid: PixelGrid, pictures: int) -> dict[str, float]:
    """The metrics of pixels from the counts of the grid, less the exact metrics."""
    counted = grid.metrics(np.ones((1, pictures)))
    exact = {figure.name: figure.of(level) for figure in FIGURES}
    return {name: float(counted[name][0]) - value for name, value in exact.items() if value is not None}


def _percentiles(level: Level, drawn: Mapping[str, Floats], error: Mapping[str, float]) -> dict[str, Interval]:
    found = {}
    for figure in FIGURES:
        if figure.of(level) is not None and figure.name in drawn:
            ends = percentiles(np.clip(drawn[figure.name] - error.get(figure.name, 0.0), 0.0, 1.0))
            if ends is not None:
                found[figure.name] = ends
    return found
