from collections.abc import Sequence

import numpy as np
import pytest
from PIL import Image

from app.data import LabelledPicture, UnreadablePolicy
from app.errors import InvalidDataset, InvalidParameter
from app.pipeline import TiledModel
from app.progress import silent
from app.training import Goal, HoldOut, Labelled, ReadingOptions, Recalibrated, recalibrate
from tests.conftest import draw_surface

READING = ReadingOptions(workers=0, batch_tiles=4, unreadable=UnreadablePolicy())


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> list[LabelledPicture]:
    """Four normal pictures, and four with stains that differ more and more from the surface."""
    root = tmp_path_factory.mktemp("pictures")
    for number in range(4):
        stained, mask = draw_surface(20 + number), np.zeros((96, 160), np.uint8)
        stained[30:50, 50:70] = (135 + 30 * number, 110, 100)
        mask[30:50, 50:70] = 255
        for name, picture in {"good": draw_surface(number), "bad": stained, "masks": mask}.items():
            (root / name).mkdir(exist_ok=True)
            Image.fromarray(picture).save(root / name / f"{number}.png")
    return [
        *(LabelledPicture(root / f"good/{number}.png", "good", None) for number in range(4)),
        *(LabelledPicture(root / f"bad/{number}.png", "bad", root / f"masks/{number}.png") for number in range(4)),
    ]


def run(model: TiledModel, pictures: Sequence[LabelledPicture], **goal: float) -> Recalibrated:
    return recalibrate(model, Goal(**goal), pictures, READING, silent)


def exceeding(found: Recalibrated, anomalous: bool) -> int:
    threshold = found.calibrated.calibration.image_threshold
    return sum(each.raw_score > threshold for each in found.scored if each.anomalous is anomalous)


def test_normal_pictures_set_thresholds_as_in_a_training(
    tiny_model: TiledModel, pictures: list[LabelledPicture]
) -> None:
    expected = HoldOut(false_positive_rate=0.3).calibrate(tiny_model, pictures[:4], READING)
    for given in (pictures[:4], pictures):
        found = run(tiny_model, given, false_positive_rate=0.3)
        assert found.calibrated == expected
        assert found.protocol == "held-out-normal"
        assert list(found.used) == [each.path for each in pictures[:4]]
        assert [each.path for each in found.scored] == [each.path for each in given]
    assert run(tiny_model, pictures[:4]).calibrated == HoldOut().calibrate(tiny_model, pictures[:4], READING)


def test_labelled_pictures_set_the_thresholds_with_the_best_f1(
    tiny_model: TiledModel, pictures: list[LabelledPicture]
) -> None:
    found = run(tiny_model, pictures)
    assert found.calibrated == Labelled().calibrate(tiny_model, pictures, READING)
    assert (found.protocol, len(found.used)) == ("labelled", 8)


@pytest.mark.parametrize(("recall", "count"), [(1.0, 4), (0.75, 3), (0.6, 3), (0.5, 2), (0.01, 1)])
def test_a_recall_finds_just_enough_pictures(
    tiny_model: TiledModel, pictures: list[LabelledPicture], recall: float, count: int
) -> None:
    found = run(tiny_model, pictures, recall=recall)
    assert exceeding(found, anomalous=True) == count
    assert (found.calibrated.pictures, found.calibrated.anomalous_pictures) == (8, 4)
    only = run(tiny_model, pictures[4:], recall=recall)
    assert exceeding(only, anomalous=True) == count


def test_values_are_in_the_scale_of_the_present_scores(tiny_model: TiledModel, pictures: list[LabelledPicture]) -> None:
    present = tiny_model.calibration
    assert present is not None
    found = run(tiny_model, pictures, image_threshold=0.6)
    new = found.calibrated.calibration
    assert present.normalise_score(new.image_threshold) == pytest.approx(0.6)
    assert (new.image_min, new.image_max) == (0, 2 * new.image_threshold)
    assert (new.pixel_threshold, new.pixel_max) == (present.pixel_threshold, present.pixel_max)
    assert (found.protocol, found.used, len(found.scored)) == ("manual", (), 8)
    both = run(tiny_model, [], image_threshold=0.5, pixel_threshold=0.25).calibrated.calibration
    assert both.image_threshold == present.image_threshold
    assert both.pixel_threshold == pytest.approx(present.pixel_threshold / 2)


@pytest.mark.parametrize(
    ("goal", "message"),
    [
        ({"recall": 0.9, "false_positive_rate": 0.1}, "exclude each other"),
        ({"recall": 0.9, "pixel_threshold": 0.1}, "exclude each other"),
        ({"image_threshold": 25.1}, "image_threshold is 25.1.*scale of scores"),
        ({"recall": 1.01}, "recall is 1.01"),
        ({"recall": 0.0}, "recall is 0"),
        ({"false_positive_rate": 1.0}, "false_positive_rate is 1"),
        ({"image_threshold": float("nan")}, "image_threshold is nan"),
    ],
)
def test_goals_that_cannot_work_are_refused(goal: dict[str, float], message: str) -> None:
    with pytest.raises(InvalidParameter, match=message):
        Goal(**goal)


def test_missing_pictures_are_named(tiny_model: TiledModel, pictures: list[LabelledPicture]) -> None:
    with pytest.raises(InvalidDataset, match="4 normal and 0 anomalous"):
        run(tiny_model, pictures[:4], recall=0.9)
    with pytest.raises(InvalidDataset, match="0 normal and 4 anomalous"):
        run(tiny_model, pictures[4:])
    with pytest.raises(InvalidDataset, match="needs normal pictures"):
        run(tiny_model, pictures[4:], false_positive_rate=0.1)
