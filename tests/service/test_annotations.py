"""The documents of annotation tools have the form that the tools read, and exactly the pixels of the regions."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from app.api.schemas.annotations import CocoBody, GeoJsonBody, LabelmeBody
from app.artifacts import Artifact, ModelRepository, load_artifact
from app.errors import TooManyPoints
from app.pipeline import Criteria, Outcome, Question, Roi, interpret
from app.scoring import over_threshold
from app.service import Predicted
from app.service.annotations import FORMATS, AnnotationFormat, annotation_file
from app.service.annotations.slits import in_one_ring
from tests.rasterising import doubled_area, pixels_of, require_valid

Map = NDArray[np.float32]
PICTURE = "line 2/defect.png"


@pytest.fixture(scope="module")
def artifact(models_dir: Path) -> Artifact:
    return load_artifact(ModelRepository(models_dir).find("patchcore"))


def predicted(artifact: Artifact, share: Map, roi: Roi | None = None, min_area: int = 1) -> Predicted:
    """A prediction with a map over the threshold where `share` is over 0.5."""
    question = Question(Criteria(0.5, min_area), roi)
    calibration = artifact.calibration
    values = calibration.pixel_min + torch.from_numpy(share) * (calibration.pixel_max - calibration.pixel_min)
    prediction = interpret(Outcome(calibration.image_max, values), calibration, question)
    height, width = share.shape if roi is None else (200, 300)
    plan = artifact.model.plan(height, width, roi)
    return Predicted(artifact, torch.zeros(3, height, width, dtype=torch.uint8), plan, prediction, question)


def document(found: Predicted, format: AnnotationFormat) -> dict[str, Any]:
    written = annotation_file(found, format, PICTURE).decode()
    assert written.startswith(FORMATS[format].mark)
    read: dict[str, Any] = json.loads(written)
    return read


def mask_of(found: Predicted) -> NDArray[np.bool_]:
    """The mask of all regions, with the size of the picture."""
    criteria, seen = found.question.criteria, found.region
    threshold = found.artifact.calibration.raw_value(criteria.threshold)
    mask = np.zeros(found.size, np.bool_)
    own = over_threshold(found.prediction.anomaly_map.numpy(), threshold, criteria.min_region_area)
    mask[seen.top : seen.top + seen.height, seen.left : seen.left + seen.width] = own
    return mask


def decoded(counts: list[int], size: list[int]) -> NDArray[np.bool_]:
    """COCO's run lengths as pixels: columns of runs, of which every second is inside."""
    flat = np.repeat(np.arange(len(counts)) % 2 == 1, counts)
    return flat.reshape(size[1], size[0]).T


def rasterised(written: dict[str, Any], format: AnnotationFormat, size: tuple[int, int]) -> list[NDArray[np.bool_]]:
    """The pixels of each region, or shape, of a document."""
    if format is AnnotationFormat.labelme:
        return [pixels_of([shape["points"]], size) for shape in written["shapes"]]
    if format is AnnotationFormat.coco:
        return [
            decoded(**segmentation)
            if isinstance(segmentation := each["segmentation"], dict)
            else pixels_of([np.reshape(ring, (-1, 2)) for ring in segmentation], size)
            for each in written["annotations"]
        ]
    found = []
    for feature in written["features"]:
        geometry = feature["geometry"]
        is_one = geometry["type"] == "Polygon"
        polygons = [geometry["coordinates"]] if is_one else geometry["coordinates"]
        assert is_one == (len(polygons) == 1)
        assert all(ring[0] == ring[-1] for polygon in polygons for ring in polygon)
        require_valid([[ring[:-1] for ring in polygon] for polygon in polygons], size)
        found.append(pixels_of([ring for polygon in polygons for ring in polygon], size))
    return found


def rough(seed: int, size: tuple[int, int], share: float) -> Map:
    random = np.random.default_rng(seed)
    coarse = np.kron(random.random((size[0] // 4 + 1, size[1] // 4 + 1)) < share, np.ones((4, 4)))
    found = coarse[: size[0], : size[1]].astype(np.float32)
    found[random.random(size) < 0.05] = 0.0
    return np.where(found, 0.6 + 0.3 * random.random(size), 0.2).astype(np.float32)


@pytest.mark.parametrize("format", AnnotationFormat)
@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from([None, Roi(30, 50, 100, 90)]), st.sampled_from([1, 12]))
def test_documents_have_exactly_the_pixels_of_the_regions(
    artifact: Artifact, format: AnnotationFormat, seed: int, roi: Roi | None, min_area: int
) -> None:
    found = predicted(artifact, rough(seed, (100, 90), 0.4), roi, min_area)
    written = document(found, format)
    parts = rasterised(written, format, found.size)
    assert (np.sum([np.zeros(found.size, int), *parts], 0) == mask_of(found)).all()
    if format is AnnotationFormat.coco:
        assert [part.sum() for part in parts] == [each["area"] for each in written["annotations"]]


def holed(artifact: Artifact) -> Predicted:
    """A region with a hole in which another region lies, and one of two parts that touch at a corner."""
    share = np.zeros((40, 60), np.float32)
    share[2:20, 3:30] = 0.8
    share[5:15, 6:20] = 0
    share[8:10, 9:12] = 0.7
    share[30:32, 40:42] = share[32:34, 42:44] = 0.9
    return predicted(artifact, share)


def test_geojson_has_what_qupath_reads(artifact: Artifact) -> None:
    written = document(holed(artifact), AnnotationFormat.geojson)
    GeoJsonBody.model_validate(written)
    assert written["type"] == "FeatureCollection" and "crs" not in written
    inner, outer, double = written["features"]
    assert {feature["type"] for feature in written["features"]} == {"Feature"}
    assert [each["geometry"]["type"] for each in (inner, outer, double)] == ["Polygon", "Polygon", "MultiPolygon"]
    assert inner["geometry"]["coordinates"] == [[[9, 8], [12, 8], [12, 10], [9, 10], [9, 8]]]
    assert [len(ring) for ring in outer["geometry"]["coordinates"]] == [5, 5]
    properties = double["properties"]
    assert properties["objectType"] == "annotation" and properties["classification"]["name"] == "anomalous"
    assert properties["measurements"] == {"score": properties["score"]}
    assert properties["score"] == pytest.approx(0.9, abs=1e-4)
    assert (properties["area"], properties["model"], properties["version"]) == (8, "patchcore", artifact.version)
    assert properties["box"] == {"x": 40, "y": 30, "width": 4, "height": 4} and double["bbox"] == [40, 30, 44, 34]


def test_coco_has_what_pycocotools_reads(artifact: Artifact) -> None:
    written = document(holed(artifact), AnnotationFormat.coco)
    CocoBody.model_validate(written)
    assert written["images"] == [{"id": 1, "file_name": "defect.png", "width": 60, "height": 40}]
    (category,) = written["categories"]
    inner, outer, double = written["annotations"]
    assert [each["id"] for each in (inner, outer, double)] == [1, 2, 3]
    assert {(each["image_id"], each["category_id"], each["iscrowd"]) for each in (inner, outer)} == {
        (1, category["id"], 0)
    }
    assert inner["segmentation"] == [[9, 8, 12, 8, 12, 10, 9, 10]] and inner["bbox"] == [9, 8, 3, 2]
    assert outer["segmentation"]["size"] == [40, 60] and sum(outer["segmentation"]["counts"]) == 40 * 60
    assert outer["area"] == 18 * 27 - 10 * 14
    assert len(double["segmentation"]) == 2


def test_labelme_has_what_labelme_reads(artifact: Artifact) -> None:
    written = document(holed(artifact), AnnotationFormat.labelme)
    LabelmeBody.model_validate(written)
    assert written["version"].startswith("5.") and written["imageData"] is None
    assert (written["imagePath"], written["imageHeight"], written["imageWidth"]) == (PICTURE, 40, 60)
    assert [shape["group_id"] for shape in written["shapes"]] == [None, None, 3, 3]
    assert {(shape["label"], shape["shape_type"]) for shape in written["shapes"]} == {("anomalous", "polygon")}
    assert all(isinstance(value, int) for shape in written["shapes"] for point in shape["points"] for value in point)


@pytest.mark.parametrize("format", AnnotationFormat)
def test_a_picture_without_regions_has_a_complete_document(artifact: Artifact, format: AnnotationFormat) -> None:
    written = document(predicted(artifact, np.zeros((40, 60), np.float32)), format)
    assert [written[key] for key in ("features", "annotations", "shapes") if key in written] == [[]]


@pytest.mark.parametrize("format", AnnotationFormat)
def test_a_map_like_a_checkerboard_is_refused(
    artifact: Artifact, format: AnnotationFormat, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.service.annotations.formats.MOST_POINTS", 1000)
    board = (np.indices((64, 64)).sum(0) % 2).astype(np.float32)
    with pytest.raises(TooManyPoints, match="more than 1,000 points; raise threshold or min_region_area"):
        document(predicted(artifact, board), format)
    with pytest.raises(TooManyPoints):  # many small regions
        document(predicted(artifact, board * (np.arange(64) % 2).astype(np.float32)), format)


def test_runs_of_few_points_are_limited_too(artifact: Artifact, monkeypatch: pytest.MonkeyPatch) -> None:
    """A comb of wide teeth in a frame: few points, but long edges."""
    monkeypatch.setattr("app.service.annotations.formats.MOST_POINTS", 1000)
    share = np.full((64, 300), 0.9, np.float32)
    share[1:-1:2, 1:-1] = 0
    with pytest.raises(TooManyPoints):
        document(predicted(artifact, share), AnnotationFormat.coco)
    assert document(predicted(artifact, share), AnnotationFormat.geojson)["features"]


def test_slits_keep_the_area_and_the_pixels() -> None:
    ring = [[0, 0], [9, 0], [9, 9], [0, 9]]
    holes = [[[x, y], [x, y + 1], [x + 1, y + 1], [x + 1, y]] for y in (1, 3, 5) for x in (1, 3, 6)]
    polygon = tuple(np.array(each) for each in [ring, *holes])
    joined = in_one_ring(polygon)
    assert doubled_area(joined) == sum(doubled_area(each) for each in polygon)
    assert (pixels_of([joined], (9, 9)) == pixels_of(polygon, (9, 9))).all()
