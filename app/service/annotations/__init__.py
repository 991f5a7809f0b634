"""Defect regions as polygons, in the formats of annotation tools."""

from app.service.annotations.annotation import (
    MOST_FILE_POINTS,
    MOST_POINTS,
    Annotation,
    AnnotationFormat,
    annotations,
)
from app.service.annotations.formats import FORMATS, Format, annotation_file

__all__ = [
    "FORMATS",
    "MOST_FILE_POINTS",
    "MOST_POINTS",
    "Annotation",
    "AnnotationFormat",
    "Format",
    "annotation_file",
    "annotations",
]
