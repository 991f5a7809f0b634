"""Where a picture's tiles lie, and how anomalous each is."""

from dataclasses import dataclass
from math import ceil

from app.service.predictor import Predicted
from app.tiling import Axis


@dataclass(frozen=True, slots=True)
class TileScore:
    """A tile, the part of the uploaded picture that it shows, and the largest normalised value of the map in it."""

    row: int
    column: int
    top: int
    left: int
    height: int
    width: int
    score: float


def tile_scores(predicted: Predicted) -> tuple[TileScore, ...]:
    """All tiles, row by row."""
    found = predicted.prediction.anomaly_map
    calibration = predicted.artifact.manifest.calibration.build()
    height, width = found.shape
    columns = spans(predicted.plan.x, width)
    tiles = []
    for row, (top, bottom) in enumerate(spans(predicted.plan.y, height)):
        for column, (left, right) in enumerate(columns):
            peak = found[top:bottom, left:right].amax()
            score = float(calibration.normalise_map(peak))
            tiles.append(TileScore(row, column, top, left, bottom - top, right - left, score))
    return tuple(tiles)


def spans(axis: Axis, length: int) -> list[tuple[int, int]]:
    """Where each tile begins and ends along an edge of `length` pixels of the picture, before it was resized."""
    return [
        (start * length // axis.content, ceil(min(start + axis.tile, axis.content) * length / axis.content))
        for start in axis.starts
    ]
