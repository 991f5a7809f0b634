"""The most unusual region of a picture beside the nearest normal patches, small enough to be part of the page."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional as F

from app.artifacts import Artifact
from app.decoding import decode
from app.errors import TesseraError
from app.evaluation.evaluate import EvaluatedPicture
from app.pipeline import NormalPatches, Outcome, RegionEvidence, interpret
from app.pipeline.thumbnail import reduced
from app.rendering import encode_jpeg, framed
from app.tiling import Size

EDGE, GAP = 96, 4
"""The edge of a square of the strip, and the gap between two, in pixels."""
LEAST, AROUND = 64, 4
"""The smallest edge of what a square shows, in pixels of its picture; and that edge as a multiple of the patch's."""
MOST_COPY_PIXELS = 2**21


@dataclass(frozen=True, slots=True)
class Explained:
    """Evidence for the region with the highest peak.

    strip: a JPEG of squares around the places, each with a frame around the patch: the region first, then the nearest
        normal patches; without those of which there is no copy
    """

    evidence: RegionEvidence
    strip: bytes


Explain = Callable[[EvaluatedPicture], Explained | None]


def explainer(artifact: Artifact) -> Explain:
    """Explains evaluated pictures by the model of the artifact; None for pictures without a region."""

    def explain(evaluated: EvaluatedPicture) -> Explained | None:
        outcome = Outcome(evaluated.result.raw_score, evaluated.anomaly_map)
        prediction = interpret(outcome, artifact.calibration)
        first = replace(prediction, regions=prediction.regions[:1])
        if not first.regions:
            return None
        (found,) = artifact.evidence_for(evaluated.result.size).compute(evaluated.image, first)
        return Explained(found, _strip(evaluated.image, found, artifact.evidence))

    return explain


def _strip(image: Tensor, found: RegionEvidence, normal: NormalPatches | None) -> bytes:
    patch = found.patch
    edge = max(LEAST, AROUND * max(patch.height, patch.width))
    centre = patch.top + patch.height // 2, patch.left + patch.width // 2
    squares = [_square(image, centre, edge)]
    for each in found.nearest:
        copy = None if normal is None else normal.reduced[each.number]
        if copy is None:
            continue
        try:
            small = decode(copy, max_pixels=MOST_COPY_PIXELS)
        except TesseraError:  # the file of an artifact from elsewhere
            continue
        scale = min(1.0, small.shape[2] / each.size[1])
        place = round(each.place[0] * scale), round(each.place[1] * scale)
        squares.append(_square(small, place, max(1, round(edge * scale))))
    height, width = (max(2, round(each * EDGE / edge)) for each in (patch.height, patch.width))
    squares = [framed(each, [((EDGE - height) // 2, (EDGE - width) // 2, height, width)]) for each in squares]
    gap = torch.full((3, EDGE, GAP), 255, dtype=torch.uint8)
    parts = [part for each in squares for part in (each, gap)]
    return encode_jpeg(torch.cat(parts[:-1], 2))


def _square(image: Tensor, centre: Size, edge: int) -> Tensor:
    """[3,EDGE,EDGE] uint8: what a picture [C,H,W] shows in a square around a place; black outside of the picture."""
    height, width = image.shape[-2:]
    (top, left), (bottom, right) = (tuple(each + step for each in centre) for step in (-(edge // 2), edge - edge // 2))
    inside = image[:, max(top, 0) : max(bottom, 0), max(left, 0) : max(right, 0)]
    shown = inside.float() * (255 / torch.iinfo(image.dtype).max)
    before = max(-top, 0), max(-left, 0)
    after = max(bottom - height, 0), max(right - width, 0)
    padded = F.pad(shown, (before[1], after[1], before[0], after[0]))
    return reduced(padded, (EDGE, EDGE)).round_().clamp_(0, 255).to(torch.uint8).expand(3, -1, -1).contiguous()
