import json
from typing import Any

import pytest

from app.errors import InvalidZones
from app.scoring import Calibration, calibration_at
from app.zones import Reading, Zone, Zones, document_of, read_zones

CALIBRATION = calibration_at(20.0, 10.0)
SQUARE = [[10, 10], [30, 10], [30, 30], [10, 30], [10, 10]]
IMAGE = {"width": 100, "height": 80}


def feature(coordinates: Any = (SQUARE,), kind: str = "Polygon", **properties: Any) -> dict[str, Any]:
    geometry = {"type": kind, "coordinates": coordinates}
    return {"type": "Feature", "geometry": geometry, "properties": properties}


def collection(*features: Any, **more: Any) -> dict[str, Any]:
    return {"type": "FeatureCollection", "image": IMAGE, "features": list(features), **more}


def read(document: object, sizes: tuple[tuple[int, int], ...] = (), *, ignore: bool = False) -> Zones:
    found = read_zones(json.dumps(document).encode(), Reading(CALIBRATION, sizes, ignore))
    assert found is not None
    return found


def test_thresholds_are_in_the_scale_of_scores() -> None:
    zones = read(collection(feature(name="a", threshold=0.7), feature(name="b", threshold=0.5, pixel_threshold=2)))
    assert zones.size == (80, 100)
    assert [(each.image_multiple, each.pixel_multiple) for each in zones.zones] == [
        (pytest.approx(1.4), pytest.approx(1.4)),
        (1.0, 4.0),
    ]
    imported = Calibration(20.0, 10.0, 30.0, 10.0, 0.0, 50.0)  # another span of the scale than anomalib's
    content = json.dumps(collection(feature(threshold=0.6))).encode()
    found = read_zones(content, Reading(imported))
    assert found is not None
    assert found.zones[0].image_multiple == pytest.approx(22 / 20)
    assert found.zones[0].pixel_multiple == pytest.approx(15 / 10)


def test_zones_that_are_written_are_read_again() -> None:
    hole = [[15, 15], [15, 20], [20, 20], [20, 15], [15, 15]]
    parts = [[SQUARE, hole], [[[50, 50], [60, 50], [50, 60], [50, 50]]]]
    document = collection(
        feature([SQUARE, hole], name="a", ignore=True),
        feature(parts, "MultiPolygon", name="b", threshold=0.7, pixel_threshold=0.9),
    )
    assert document_of(read(document), CALIBRATION) == document | {"image": IMAGE}
    assert document_of(None, CALIBRATION) == {"type": "FeatureCollection", "features": []}


def test_files_of_other_programs_are_read() -> None:
    qupath = [feature(objectType="annotation", classification={"name": "Ignore*"})]  # without a collection around it
    assert read(qupath, ((80, 100),)).zones[0].ignored
    measured = [feature(objectType="annotation", measurements={"threshold": 0.6})]
    assert read(measured, ((80, 100),)).zones[0].pixel_multiple == pytest.approx(1.2)
    below = [[x, -y] for x, y in SQUARE]
    qgis = collection(feature([below], threshold=0.6), crs={"type": "name"})
    assert read(qgis).zones[0].rings == read(collection(feature(threshold=0.6))).zones[0].rings
    shapes = [{"label": "ignore", "shape_type": "rectangle", "points": [[10, 10], [30, 30]]}]
    labelme = read({"shapes": shapes, "imageHeight": 80, "imageWidth": 100})
    assert (
        labelme.zones[0].ignored and labelme.zones[0].rings == read(collection(feature(threshold=0.6))).zones[0].rings
    )
    assert read(collection(feature(score=0.9)), ignore=True).zones[0].ignored


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({"type": "Polygon"}, "neither GeoJSON"),
        ({"type": "FeatureCollection"}, "no list of features"),
        (collection(feature(), image={"width": 1.5, "height": 2}), "whole numbers"),
        ({"type": "FeatureCollection", "features": [feature(threshold=0.6)]}, "in the pixels of which picture"),
        (collection(feature()), "neither that it is ignored nor its threshold"),
        (collection(feature(ignore=True, threshold=0.6)), "give one of both"),
        (collection(feature(threshold="0.6")), "must be a number"),
        (collection(feature(threshold=0.0)), "times that of the model"),
        (collection(feature(threshold=float("nan"))), "finite"),
        (collection(feature([[1, 1], [2, 2]], "LineString", ignore=True)), "'LineString'"),
        (collection(feature([[[1, 1], [2, 2], [3, 3]]], ignore=True)), "surrounds no area"),
        (
            collection(feature([[[1, 1], [200, 1], [3, 30]]], name="far", ignore=True)),
            r"'far' has the point \(200, 1\)",
        ),
        (collection(feature([[[0, 0], [20, 20], [20, 0], [0, 25]]], ignore=True)), "crosses itself near"),
        (collection(feature([[[0, 0], [20, 20], [20, 0], [0, 20]]], ignore=True)), "crosses itself near"),
        (collection(feature([[["a", 1], [2, 2], [3, 9]]], ignore=True)), "not a pair of numbers"),
        (collection(feature(name="a", ignore=True), feature(name="a", ignore=True)), "two zones are named 'a'"),
        (collection(*(feature(ignore=True) for _ in range(101))), "there are 101 zones"),
        (collection(feature([[[n / 20, n % 2] for n in range(1001)]], ignore=True)), "at most 1,000"),
        (collection(feature([[SQUARE], []], "MultiPolygon", ignore=True)), "without a ring"),
        (collection(feature([], ignore=True)), "no polygon"),
        (collection(feature(ignore=True), image={"width": 10**300, "height": 9}), "edges have 1 to"),
        (collection(feature([[[1, 1], [1e400, 1], [3, 30]]], ignore=True)), r"the point \(inf, 1\)"),
        (collection(feature([[[1, 1], [10**400, 1], [3, 30]]], ignore=True)), "too large"),
        (collection(feature(name="a\ud800", ignore=True)), "cannot be shown"),
        (collection(feature(name=" ", ignore=True)), "not all blank"),
        (
            collection(*(feature([[[x, 0], [x + 50, 0], [x + 50, 80], [x, 80]]], ignore=True) for x in (0, 50))),
            "ignore the whole picture",
        ),
        ({"shapes": [{"shape_type": "circle"}], "imageHeight": 8, "imageWidth": 8}, "'circle'"),
    ],
)
def test_wrong_files_are_refused_with_the_reason(document: object, message: str) -> None:
    with pytest.raises(InvalidZones, match=message):
        read(document)


@pytest.mark.parametrize("content", [b"", b"{", b"[" * 100_000, b"\xff", b" " * (2**21 + 1), b"1" * 5000])
def test_what_is_no_json_is_refused(content: bytes) -> None:
    with pytest.raises(InvalidZones, match="the file"):
        read_zones(content, Reading(CALIBRATION))


def test_nested_coordinates_are_refused_at_any_depth() -> None:
    document = json.dumps(collection(feature([[["deep", 1], [2, 2], [3, 9]]], ignore=True))).encode()
    for depth in range(1, 1000, 9):  # some are read, and are too deep for a message that repeats them
        with pytest.raises(InvalidZones):
            read_zones(document.replace(b'"deep"', b"[" * depth + b"]" * depth), Reading(CALIBRATION))


def test_the_zone_of_a_pixel_is_that_which_decides() -> None:
    zones = read(
        collection(
            feature(name="first", threshold=0.7),
            feature([[[20, 10], [40, 10], [40, 30], [20, 30]]], name="later", threshold=0.6),
            feature([[[25, 10], [30, 10], [30, 30], [25, 30]]], name="none", ignore=True),
        )
    )
    found = zones.at([(20, column) for column in (5, 15, 22, 27, 35)], (80, 100))
    assert [each.name if isinstance(each, Zone) else None for each in found] == [
        None,
        "first",
        "later",
        "none",
        "later",
    ]
