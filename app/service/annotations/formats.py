"""The formats of annotations, and files in them."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from app.scoring import too_many_points
from app.service.annotations import coco, geojson, labelme
from app.service.annotations.annotation import MOST_POINTS, Annotation, AnnotationFormat, annotations
from app.service.predicted import Judged, Predicted


@dataclass(frozen=True, slots=True)
class Format:
    """How annotations are written, one after the other: the head, the items separated by commas, and the tail.

    media_type: the media type of the document
    ending: the ending of the name of a file
    mark: how every document begins
    head: the part before the items, of a picture with this path
    items: the JSON values of one annotation, which has this number from 1 on, separated by commas; raises TooManyPoints
        if they have more than this number of runs of pixels
    tail: the part after the items
    """

    media_type: str
    ending: str
    mark: str
    head: Callable[[Judged, str], str]
    items: Callable[[Judged, Annotation, int, int], str]
    tail: str


FORMATS = {
    AnnotationFormat.geojson: Format(
        "application/geo+json", ".geojson", geojson.MARK, geojson.head, geojson.items, geojson.TAIL
    ),
    AnnotationFormat.coco: Format("application/x.coco+json", ".coco.json", coco.MARK, coco.head, coco.items, coco.TAIL),
    AnnotationFormat.labelme: Format(
        "application/x.labelme+json", ".labelme.json", labelme.MARK, labelme.head, labelme.items, labelme.TAIL
    ),
}
"""COCO and labelme have no registered media type: `x.` is the tree for such types (RFC 6838, section 3.4)."""


def annotation_file(predicted: Predicted, format: AnnotationFormat, picture: str) -> bytes:
    """The defect regions as a document; `picture` is the name of the picture's file.

    Raises TooManyPoints for more than MOST_POINTS points.
    """
    judged, own = predicted.judged, FORMATS[format]
    found = _limited(annotations(judged, [predicted.prediction.anomaly_map.numpy()], MOST_POINTS))
    items = (own.items(judged, each, number, MOST_POINTS) for number, each in enumerate(found, start=1))
    return f"{own.head(judged, picture)}{','.join(items)}{own.tail}".encode()


def _limited(found: Iterable[Annotation]) -> Iterator[Annotation]:
    points = 0
    for each in found:
        points += each.points
        if points > MOST_POINTS:
            raise too_many_points(MOST_POINTS)
        yield each
