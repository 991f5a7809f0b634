"""What is kept of a predicted picture."""

import torch
from torch import Tensor
from torch.nn import functional

from app.decoding.formats import identify
from app.errors import TooManyPoints
from app.pipeline import DefectRegion
from app.rendering import HEAT_BEFORE, ColorMap, colorize, encode_png
from app.service.annotations import annotations
from app.service.pictures import normalised_map
from app.service.predicted import Predicted
from app.store.kept import Draft, KeptRegion, PictureFile, Polygon, Verdict

MOST_REGIONS = 100
"""The most regions of a picture that are kept: a person judges no more."""
MOST_OUTLINE_POINTS = 50_000
"""The most points of all outlines. Of a picture with more, the boxes of the regions are kept."""
HEATMAP_EDGE = 1024
"""The most pixels of the width and of the height of the kept heatmap."""
SHOWN_BY_BROWSERS = frozenset({"JPEG", "PNG", "WebP", "BMP", "AVIF"})

Key = tuple[int, int, int, tuple[int, int]]


def draft_of(predicted: Predicted, data: bytes, name: str, rule: str, request_id: str) -> Draft:
    """A predicted picture with its file `data`, as it is kept. Raises UnsupportedImage."""
    format, found = identify(data), predicted.prediction.regions
    outlines = _outlines(predicted)
    regions = tuple(_kept(region, outlines.get(_key(region))) for region in found[:MOST_REGIONS])
    prediction, artifact = predicted.prediction, predicted.artifact
    verdict = Verdict(
        artifact.name,
        artifact.version,
        artifact.digest,
        prediction.score,
        prediction.criteria.threshold,
        prediction.label.value,
        regions,
        len(found),
        request_id,
    )
    files = {
        PictureFile.picture: data,
        PictureFile.heatmap: _heatmap(normalised_map(predicted), prediction.criteria.threshold),
    }
    if format not in SHOWN_BY_BROWSERS:
        files[PictureFile.shown] = encode_png(_in_8_bits(predicted.image))
    return Draft(name, format, predicted.size, verdict, rule, files)


def _outlines(predicted: Predicted) -> dict[Key, tuple[Polygon, ...]]:
    """The outlines of the regions; empty if they have too many points."""
    if not predicted.prediction.regions:
        return {}
    found, points = {}, 0
    try:
        for each in annotations(predicted.judged, [predicted.prediction.anomaly_map.numpy()], MOST_OUTLINE_POINTS):
            points += each.points
            if points > MOST_OUTLINE_POINTS:
                return {}
            found[_key(each.region)] = tuple(
                tuple(tuple((float(x), float(y)) for x, y in ring.tolist()) for ring in polygon)
                for polygon in each.outline
            )
    except TooManyPoints:
        return {}
    return found


def _key(region: DefectRegion) -> Key:
    return region.top, region.left, region.area, region.peak


def _kept(region: DefectRegion, outline: tuple[Polygon, ...] | None) -> KeptRegion:
    top, left, bottom, right = region.top, region.left, region.top + region.height, region.left + region.width
    box = (
        (float(left), float(top)),
        (float(left), float(bottom)),
        (float(right), float(bottom)),
        (float(right), float(top)),
    )
    return KeptRegion(
        region.top,
        region.left,
        region.height,
        region.width,
        region.area,
        region.score,
        region.peak,
        outline or ((box,),),
    )


def _heatmap(values: Tensor, threshold: float) -> bytes:
    """A PNG of a normalised map [H,W] in colour, dark where `overlay` draws no heat.

    It is made smaller by maxima, so that no spot is lost.
    """
    height, width = values.shape
    size = min(height, HEATMAP_EDGE), min(width, HEATMAP_EDGE)
    smaller = functional.adaptive_max_pool2d(values[None, None], size)[0, 0] if size != (height, width) else values
    start = max(0.0, threshold - HEAT_BEFORE)
    return encode_png(colorize((smaller - start) / (1 - start), ColorMap.ember))


def _in_8_bits(image: Tensor) -> Tensor:
    """[C,H,W] uint8 of uint8 or uint16."""
    return image if image.dtype == torch.uint8 else (image.to(torch.int32) >> 8).to(torch.uint8)
