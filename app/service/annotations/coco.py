"""COCO's format of object detection (https://cocodataset.org/#format-data), for one picture."""

import json
from pathlib import PurePath

import numpy as np

from app.pipeline import Label
from app.scoring import Outline, too_many_points
from app.service.annotations.annotation import Annotation
from app.service.predicted import Judged
from app.tiling import Size
from app.version import VERSION

MARK = '{"info":{"description":"Defect regions found by Tessera",'
TAIL = "]}\n"


def head(judged: Judged, picture: str) -> str:
    """See Format."""
    artifact, (height, width) = judged.artifact, judged.size
    info = {"version": VERSION, "model": artifact.name, "model_version": artifact.version, "digest": artifact.digest}
    others = {
        "licenses": [],
        "images": [{"id": 1, "file_name": PurePath(picture).name, "width": width, "height": height}],
        "categories": [{"id": 1, "name": Label.anomalous.value, "supercategory": "defect"}],
    }
    written = [json.dumps(each, separators=(",", ":"))[1:-1] for each in (info, others)]
    return f'{MARK}{written[0]}}},{written[1]},"annotations":['


def items(judged: Judged, annotation: Annotation, number: int, most_runs: int) -> str:
    """See Format. COCO's polygons have no holes, so that a region with holes is written as runs of pixels."""
    region, outline = annotation.region, annotation.outline
    has_holes = any(len(polygon) > 1 for polygon in outline)
    described = {
        "id": number,
        "image_id": 1,
        "category_id": 1,
        "segmentation": (
            {"counts": runs(outline, judged.size, most_runs), "size": judged.size}
            if has_holes
            else [polygon[0].ravel().tolist() for polygon in outline]
        ),
        "bbox": [region.left, region.top, region.width, region.height],
        "area": region.area,
        "iscrowd": 0,  # trainers leave out crowds; pycocotools reads the form of the segmentation from itself
        "score": region.score,
        **({} if region.zone is None else {"zone": region.zone}),
    }
    return json.dumps(described, separators=(",", ":"))


def runs(outline: Outline, size: Size, most: int) -> list[int]:
    """COCO's uncompressed run lengths, column by column: of pixels outside, inside, outside and so on.

    size: the (height, width) of the picture
    most: raises TooManyPoints for more runs
    """
    rings = [ring for polygon in outline for ring in polygon]
    x, y = np.concatenate(rings).T
    next_x = np.concatenate([np.roll(ring[:, 0], -1) for ring in rings])
    first, length = np.minimum(x, next_x), np.abs(next_x - x)  # of vertical edges: none
    if length.sum() > most:
        raise too_many_points(most)
    column = np.repeat(first - np.cumsum(length) + length, length) + np.arange(length.sum())
    places, times = np.unique(column * size[0] + np.repeat(y, length), return_counts=True)
    changes = places[times == 1]  # a run that reaches the end of a column goes on in the next one
    ends = np.concatenate([[0], changes, [size[0] * size[1]]])
    counts: list[int] = np.diff(ends).tolist()
    return counts if counts[-1] else counts[:-1]
