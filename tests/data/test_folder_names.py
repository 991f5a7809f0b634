import pytest

from app.data.folder_names import Content, content_of


@pytest.mark.parametrize(
    "name",
    [
        *("bad", "Bad", "BAD", "bad_parts", "bad-parts", "badParts", "bad2", "Bad 2", "2_bad"),
        *("ng", "NG", "NG_1", "line-ng", "nok", "NOK", "not_ok", "notOK", "Not-OK", "not_good", "no good"),
        *("defect", "defects", "Defective", "defective_parts", "anomaly", "anomalies", "anomalous", "ANOMALY"),
        *("abnormal", "scratch", "scratches", "deep_scratch", "faulty", "rejects", "broken", "good_and_bad"),
        *("defects_without_scratches",),
    ],
)
def test_names_of_defects_are_recognised(name: str) -> None:
    assert content_of(name) is Content.defects


@pytest.mark.parametrize(
    "name",
    ["good", "Good_2", "ok", "OK", "normal", "passed", "defect_free", "no-anomalies", "nonDefective", "No1_good"],
)
def test_names_of_good_pictures_are_recognised(name: str) -> None:
    assert content_of(name) is Content.good


@pytest.mark.parametrize("name", ["mask", "masks", "ground_truth", "GroundTruth", "good_masks"])
def test_names_of_masks_are_recognised(name: str) -> None:
    assert content_of(name) is Content.masks


@pytest.mark.parametrize("name", ["badge", "token", "line1", "2026-11-02", "left", "engine", "camera_3", "", "dental"])
def test_other_names_say_nothing(name: str) -> None:
    assert content_of(name) is None
