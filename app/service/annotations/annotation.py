"""A defect region with its outline in the picture."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from app.pipeline import DefectRegion, defect_region, in_zones
from app.scoring import Outline, outlined_regions
from app.service.predicted import Judged

MOST_POINTS = 500_000
"""The largest number of points in one answer, and of runs of pixels: about 7 MB of JSON, and a second of one thread."""
MOST_FILE_POINTS = 2**22
"""The largest number of points of regions that are open at one row of a picture, when a file is written: 1 GB."""


class AnnotationFormat(StrEnum):
    """A format of annotation tools: GeoJSON (geojson; QuPath, QGIS), COCO (coco) or labelme (labelme)."""

    geojson = "geojson"
    coco = "coco"
    labelme = "labelme"


@dataclass(frozen=True, slots=True)
class Annotation:
    """A defect region, and its outline in pixels of the whole picture, see `app.scoring.outlines`."""

    region: DefectRegion
    outline: Outline

    @property
    def points(self) -> int:
        """The number of points of the outline."""
        return sum(len(ring) for polygon in self.outline for ring in polygon)


def annotations(judged: Judged, bands: Iterable[NDArray[np.float32]], most_points: int) -> Iterator[Annotation]:
    """The defect regions of a picture, from the bands of rows of its map.

    They come in the order of their last rows. Raises TooManyPoints, see `outlined_regions`.
    """
    calibration, question = judged.artifact.calibration, judged.question
    threshold, least = calibration.raw_value(question.criteria.threshold), question.criteria.min_region_area
    first = np.array((question.roi.left, question.roi.top) if question.roi else (0, 0))
    for found in outlined_regions(bands, threshold, least, most_points):
        outline = tuple(tuple(ring + first for ring in polygon) for polygon in found.outline)
        found_region = defect_region(found.region, calibration, question)
        (region,) = in_zones([found_region], judged.artifact.model.zones, judged.size)
        yield Annotation(region, outline)
