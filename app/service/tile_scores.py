"""The places and scores of a picture's tiles."""

from dataclasses import dataclass
from math import ceil

from app.service.predicted import Predicted
from app.tiling import Axis


@dataclass(frozen=True, slots=True)
class TileScore:
    """A tile, its rectangle in the uploaded picture (clipped to the region of interest), and the highest normalised map
    value inside it.
    """

    row: int
    column: int
    top: int
    left: int
    height: int
    width: int
    score: float


def tile_scores(predicted: Predicted) -> tuple[TileScore, ...]:
    """All tiles that overlap the region of interest, row by row, without those that were not looked at whole."""
    found, seen = predicted.prediction.anomaly_map, predicted.region
    calibration = predicted.artifact.calibration
    height, width = predicted.image.shape[-2:]
    coverage = predicted.prediction.coverage
    partial = coverage is not None and not coverage.complete
    columns = spans(predicted.plan.x, width, seen.columns)
    tiles = []
    for row, rows in spans(predicted.plan.y, height, seen.rows).items():
        top, bottom = rows.start - seen.top, rows.stop - seen.top
        for column, across in columns.items():
            values = found[top:bottom, across.start - seen.left : across.stop - seen.left]
            if partial and bool(values.isneginf().any()):
                continue
            peak = values.amax()
            score = float(calibration.normalise_map(peak))
            tiles.append(TileScore(row, column, rows.start, across.start, len(rows), len(across), score))
    return tuple(tiles)


def spans(axis: Axis, length: int, seen: range) -> dict[int, range]:
    """For each tile along one axis, by its number: the pixels of `seen` that it covers; tiles that cover none are left
    out. `length` is the number of pixels of the picture along this axis before it was resized.
    """
    shown = {}
    for number, start in enumerate(axis.starts, start=axis.first):
        first, end = start * length // axis.content, ceil(min(start + axis.tile, axis.content) * length / axis.content)
        if pixels := range(max(first, seen.start), min(end, seen.stop)):
            shown[number] = pixels
    return shown
