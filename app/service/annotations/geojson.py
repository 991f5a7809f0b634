"""GeoJSON (RFC 7946), in pixels of the picture, with the properties of QuPath's objects.

The y axis points downward, as in QuPath and in pictures. RFC 7946 means longitude and latitude by coordinates unless
both sides agree on something else, as here.
"""

import json

import numpy as np

from app.pipeline import Label
from app.scoring import Polygon, Ring
from app.service.annotations.annotation import Annotation
from app.service.predicted import Judged

MARK = '{"type":"FeatureCollection","generator":"Tessera",'
TAIL = "]}\n"
COLOR = (255, 94, 0)
"""The colour of the class in QuPath."""


def head(judged: Judged, picture: str) -> str:
    """See Format."""
    artifact, judgement, (height, width) = judged.artifact, judged.judgement, judged.size
    described = {
        "image": {"file_name": picture, "width": width, "height": height},
        "model": {"name": artifact.name, "version": artifact.version, "digest": artifact.digest},
        "score": judgement.score,
        "label": judgement.label.value,
        "threshold": judgement.criteria.threshold,
    }
    return f'{MARK}{json.dumps(described, separators=(",", ":"))[1:-1]},"features":['


def items(judged: Judged, annotation: Annotation, number: int, most_runs: int) -> str:
    """See Format. A polygon, or a multipolygon if the region has several parts that touch only at corners of pixels."""
    region, polygons = annotation.region, [_coordinates(polygon) for polygon in annotation.outline]
    row, column = region.peak
    feature = {
        "type": "Feature",
        "bbox": [region.left, region.top, region.left + region.width, region.top + region.height],
        "geometry": {
            "type": "Polygon" if len(polygons) == 1 else "MultiPolygon",
            "coordinates": polygons[0] if len(polygons) == 1 else polygons,
        },
        "properties": {
            "objectType": "annotation",
            "classification": {"name": Label.anomalous.value, "color": COLOR},
            "measurements": {"score": region.score},  # QuPath keeps no other numbers
            "label": Label.anomalous.value,
            "score": region.score,
            "area": region.area,
            "box": {"x": region.left, "y": region.top, "width": region.width, "height": region.height},
            "peak": {"x": column, "y": row},
            "model": judged.artifact.name,
            "version": judged.artifact.version,
            **({} if region.zone is None else {"zone": region.zone}),
        },
    }
    return json.dumps(feature, separators=(",", ":"))


def _coordinates(polygon: Polygon) -> list[list[list[int]]]:
    return [_closed(ring).tolist() for ring in polygon]


def _closed(ring: Ring) -> Ring:
    return np.concatenate([ring, ring[:1]])
