"""Predictions in the formats of annotation tools."""

import io
import json

import numpy as np
import pytest
from PIL import Image
from pydantic import BaseModel
from starlette.testclient import TestClient

from app.api.schemas.annotations import CocoBody, GeoJsonBody, LabelmeBody
from app.scoring import calibration_at
from app.service.annotations import FORMATS, AnnotationFormat
from app.zones import Reading, read_zones
from tests.rasterising import pixels_of

URL = "/v1/models/patchcore"
BODIES: dict[AnnotationFormat, type[BaseModel]] = {
    AnnotationFormat.geojson: GeoJsonBody,
    AnnotationFormat.coco: CocoBody,
    AnnotationFormat.labelme: LabelmeBody,
}


def test_geojson_has_the_regions_of_the_prediction_as_the_mask_shows_them(
    client: TestClient, defect_png: bytes
) -> None:
    query = "threshold=0.4&min_region_area=5&roi=10,20,120,70"
    answer = client.post(f"{URL}/predict?format=geojson&{query}", files={"image": ("a b.png", defect_png)})
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/geo+json")
    written = answer.json()
    plain = client.post(f"{URL}/predict?{query}", files={"image": defect_png}).json()
    regions = [
        {key: each["properties"][key] for key in ("box", "area", "score", "peak")} for each in written["features"]
    ]
    assert sorted(regions, key=json.dumps) == sorted(plain["regions"], key=json.dumps) and regions
    assert (written["score"], written["label"]) == (plain["score"], plain["label"])
    assert written["image"] == {"file_name": "a b.png", "width": 160, "height": 96}
    png = client.post(f"{URL}/heatmap?style=mask&{query}", files={"image": defect_png}).content
    mask = np.zeros((96, 160), bool)
    mask[20:90, 10:130] = np.asarray(Image.open(io.BytesIO(png))) > 0
    found = np.zeros_like(mask)
    for feature in written["features"]:
        geometry = feature["geometry"]
        polygons = [geometry["coordinates"]] if geometry["type"] == "Polygon" else geometry["coordinates"]
        found |= pixels_of([ring for polygon in polygons for ring in polygon], mask.shape)
    assert (found == mask).all()


@pytest.mark.parametrize("name", ["geojson", "labelme"])
def test_the_regions_of_an_answer_can_be_set_as_ignored_zones(client: TestClient, defect_png: bytes, name: str) -> None:
    answer = client.post(f"{URL}/predict?format={name}&threshold=0.4", files={"image": defect_png})
    zones = read_zones(answer.content, Reading(calibration_at(1, 1), ignore=True))
    assert zones is not None and zones.size == (96, 160) and all(zone.ignored for zone in zones.zones)


@pytest.mark.parametrize("format", AnnotationFormat)
def test_each_format_has_its_media_type_and_the_form_of_the_contract(
    client: TestClient, defect_png: bytes, format: AnnotationFormat
) -> None:
    answer = client.post(f"{URL}/predict?format={format}", content=defect_png, headers={"Content-Type": "image/png"})
    assert (answer.status_code, answer.headers["content-type"]) == (200, FORMATS[format].media_type)
    BODIES[format].model_validate_json(answer.content)
    content = client.get("/openapi.json").json()["paths"]["/v1/models/{model}/predict"]["post"]["responses"]["200"]
    assert next(iter(content["content"])) == "application/json"  # generated clients read the first
    assert content["content"][FORMATS[format].media_type]["schema"] == {
        "$ref": f"#/components/schemas/{BODIES[format].__name__}"
    }


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("format=geojson&include=mask", "leave out include, or leave out format"),
        ("format=shape", "'geojson', 'coco' or 'labelme'"),
    ],
)
def test_a_format_without_sense_is_refused(client: TestClient, defect_png: bytes, query: str, message: str) -> None:
    answer = client.post(f"{URL}/predict?{query}", files={"image": defect_png})
    assert answer.status_code == 422 and message in answer.text


def test_a_batch_has_no_format(client: TestClient, defect_png: bytes) -> None:
    answer = client.post(f"{URL}/predict-batch?format=coco", files=[("images", defect_png)])
    assert answer.status_code == 422 and "there is no query parameter 'format'" in answer.text
