"""What is made of a prediction: pictures, maps, and the scores of tiles. Done in the predictor's threads."""

from collections.abc import Set
from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from app.rendering import MapFormat, colorize, encode_map, encode_mask, encode_png, outline, overlay
from app.service.predictor import Predicted
from app.service.tile_scores import TileScore, tile_scores

Style = Literal["overlay", "heatmap", "mask"]
Include = Literal["heatmap", "mask", "tiles"]


@dataclass(frozen=True, slots=True)
class Extras:
    """What was asked for besides the prediction; None where it was not."""

    heatmap: bytes | None
    mask: bytes | None
    tiles: tuple[TileScore, ...] | None


def extras(predicted: Predicted, include: Set[Include]) -> Extras:
    """Those of the extras that are in `include`; pictures are PNG."""
    return Extras(
        heatmap_png(predicted, "heatmap") if "heatmap" in include else None,
        heatmap_png(predicted, "mask") if "mask" in include else None,
        tile_scores(predicted) if "tiles" in include else None,
    )


def heatmap_png(predicted: Predicted, style: Style) -> bytes:
    """PNG of the picture's size: its anomalies in colour, over it with the regions framed, or as black and white."""
    if style == "mask":
        threshold = predicted.artifact.manifest.calibration.pixel_threshold
        return encode_mask(predicted.prediction.anomaly_map > threshold)
    if style == "heatmap":
        return encode_png(colorize(_normalised(predicted)))
    boxes = [(region.top, region.left, region.height, region.width) for region in predicted.prediction.regions]
    return encode_png(outline(overlay(predicted.image, _normalised(predicted)), boxes))


def map_file(predicted: Predicted, format: MapFormat, normalised: bool) -> bytes:
    """The map of the picture's size as a file, normalised or as the detector's distances."""
    return encode_map(_normalised(predicted) if normalised else predicted.prediction.anomaly_map, format)


def _normalised(predicted: Predicted) -> Tensor:
    return predicted.artifact.manifest.calibration.build().normalise_map(predicted.prediction.anomaly_map)
