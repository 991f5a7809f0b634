"""Renders predictions as pictures, maps and tile scores, in the threads of the predictor."""

from collections.abc import Set
from dataclasses import dataclass
from enum import StrEnum
from functools import partial

import torch
from torch import Tensor

from app.admission import HEATMAP_BYTES, MASK_BYTES
from app.pipeline import DefectRegion, Roi
from app.rendering import (
    ColorMap,
    MapFormat,
    MarkedRegion,
    colorize,
    encode_map,
    encode_mask,
    encode_png,
    hatch,
    marked,
    overlay,
)
from app.scoring import over_threshold
from app.service.picture_task import Rendering
from app.service.predicted import Predicted
from app.service.tile_scores import TileScore, tile_scores


class HeatmapStyle(StrEnum):
    """What a heatmap shows: the picture with heat and outlined defects over it (overlay), heat alone (heatmap), or the
    defects in black and white (mask).
    """

    overlay = "overlay"
    heatmap = "heatmap"
    mask = "mask"


class Include(StrEnum):
    """Optional parts of a prediction: pictures of the anomalies (heatmap) and defects (mask), scores of tiles, and
    evidence for the regions: how unusual they are, and the normal patches that are nearest to them.
    """

    heatmap = "heatmap"
    mask = "mask"
    tiles = "tiles"
    evidence = "evidence"


@dataclass(frozen=True, slots=True)
class Drawing:
    """How heat is drawn."""

    colors: ColorMap = ColorMap.ember
    opacity: float = 0.5  # of the colours over the picture, in [0, 1]


DRAWING = Drawing()
UNSEEN_GREY = 128
"""The value in masks of pixels that were not looked at: neither that of a defect nor that of a normal pixel."""


@dataclass(frozen=True, slots=True)
class Extras:
    """The optional parts of an answer; None if not requested."""

    heatmap: bytes | None
    mask: bytes | None
    tiles: tuple[TileScore, ...] | None


EXTRA_BYTES = {Include.heatmap: HEATMAP_BYTES, Include.mask: MASK_BYTES, Include.tiles: 0, Include.evidence: 0}
"""The memory for each pixel of the map that an extra takes."""
STYLE_BYTES = {
    HeatmapStyle.overlay: HEATMAP_BYTES,
    HeatmapStyle.heatmap: HEATMAP_BYTES,
    HeatmapStyle.mask: MASK_BYTES,
}
"""The memory for each pixel of the map that a heatmap takes."""


def rendered_extras(include: Set[Include], drawing: Drawing = DRAWING) -> Rendering[Extras]:
    """The rendering of `extras`."""
    return Rendering(partial(extras, include=include, drawing=drawing), sum(EXTRA_BYTES[each] for each in include))


def extras(predicted: Predicted, include: Set[Include], drawing: Drawing = DRAWING) -> Extras:
    """The extras that `include` names. Pictures are PNG files."""
    return Extras(
        heatmap_png(predicted, HeatmapStyle.heatmap, drawing) if Include.heatmap in include else None,
        heatmap_png(predicted, HeatmapStyle.mask) if Include.mask in include else None,
        tile_scores(predicted) if Include.tiles in include else None,
    )


def heatmap_png(predicted: Predicted, style: HeatmapStyle, drawing: Drawing = DRAWING) -> bytes:
    """A PNG file of the size of the picture, or of its region of interest.

    heatmap: the normalised map in colour
    overlay: the normalised map in colour over the picture, with marked defect regions, see RegionMarks
    mask: white inside the defect regions, black elsewhere

    Parts that were not looked at are hatched, and in a mask grey.
    """
    if style is HeatmapStyle.mask:
        return _mask_png(predicted)
    if style is HeatmapStyle.heatmap:
        coloured = colorize(normalised_map(predicted), drawing.colors)
        hatch(coloured, _unseen(predicted))
        return encode_png(coloured)
    seen = predicted.region
    regions = [marked_region(each, seen) for each in predicted.prediction.regions]
    shown = predicted.image[:, seen.top : seen.top + seen.height, seen.left : seen.left + seen.width]
    threshold = predicted.prediction.criteria.threshold
    painted = overlay(shown, normalised_map(predicted), drawing.opacity, drawing.colors, threshold)
    hatch(painted, _unseen(predicted))
    return encode_png(marked(painted, anomaly_mask(predicted), regions))


def marked_region(region: DefectRegion, shown: Roi) -> MarkedRegion:
    """How a region is drawn in the shown part of the picture."""
    box = region.top - shown.top, region.left - shown.left, region.height, region.width
    return MarkedRegion(box, region.area, (region.peak[0] - shown.top, region.peak[1] - shown.left))


def _mask_png(predicted: Predicted) -> bytes:
    mask, unseen = anomaly_mask(predicted), _unseen(predicted)
    if not unseen:
        return encode_mask(mask)
    grey = mask.to(torch.uint8) * 255
    for top, left, height, width in unseen:
        grey[top : top + height, left : left + width] = UNSEEN_GREY
    return encode_png(grey[None])


def _unseen(predicted: Predicted) -> list[tuple[int, int, int, int]]:
    """The (top, left, height, width) in the map of the rectangles that were not looked at."""
    seen, coverage = predicted.region, predicted.prediction.coverage
    boxes = () if coverage is None else coverage.unseen
    return [(each.top - seen.top, each.left - seen.left, each.height, each.width) for each in boxes]


def map_file(predicted: Predicted, format: MapFormat, normalised: bool) -> bytes:
    """The map of the picture, or of its region of interest, as a file, normalised or as the detector's distances."""
    return encode_map(normalised_map(predicted) if normalised else predicted.prediction.anomaly_map, format)


def anomaly_mask(predicted: Predicted) -> Tensor:
    """[H,W] bool: true inside the defect regions."""
    criteria = predicted.prediction.criteria
    threshold = predicted.artifact.calibration.raw_value(criteria.threshold)
    found = predicted.prediction.anomaly_map.numpy()
    return torch.from_numpy(over_threshold(found, threshold, criteria.min_region_area))


def normalised_map(predicted: Predicted) -> Tensor:
    """[H,W] float32 in [0,1], with the threshold at 0.5."""
    return predicted.artifact.calibration.normalise_map(predicted.prediction.anomaly_map)
