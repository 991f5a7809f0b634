"""The format of labelme 5 (https://github.com/wkentaro/labelme): a JSON file beside each picture."""

import json

from app.pipeline import Label
from app.service.annotations.annotation import Annotation
from app.service.annotations.slits import in_one_ring
from app.service.predicted import Judged

VERSION = "5.5.0"
"""The version of labelme whose files these are like."""
MARK = f'{{"version":"{VERSION}","generator":"Tessera",'
TAIL = "]}\n"


def head(judged: Judged, picture: str) -> str:
    """See Format. labelme finds the picture by its path, which is relative to the folder of the JSON file."""
    artifact, (height, width) = judged.artifact, judged.size
    described = {
        "model": {"name": artifact.name, "version": artifact.version, "digest": artifact.digest},
        "flags": {},
        "imagePath": picture,
        "imageData": None,
        "imageHeight": height,
        "imageWidth": width,
    }
    return f'{MARK}{json.dumps(described, separators=(",", ":"))[1:-1]},"shapes":['


def items(judged: Judged, annotation: Annotation, number: int, most_runs: int) -> str:
    """See Format. One shape for each polygon; the shapes of one region have its number as their group.

    labelme's polygons have no holes: a slit without width joins each hole with the outer ring.
    """
    region = annotation.region
    shapes = [
        {
            "label": Label.anomalous.value,
            "points": in_one_ring(polygon).tolist(),
            "group_id": number if len(annotation.outline) > 1 else None,
            "description": f"score {region.score:.3f}" + (f", zone {region.zone}" if region.zone is not None else ""),
            "shape_type": "polygon",
            "flags": {},
        }
        for polygon in annotation.outline
    ]
    return json.dumps(shapes, separators=(",", ":"))[1:-1]
