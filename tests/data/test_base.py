import itertools
from pathlib import Path

import pytest

from app.data import DataModule, LabelledPicture, MVTec, spread
from app.data.base import ValSplitMode
from app.errors import InvalidDataset
from tests.data.conftest import Draw


@pytest.fixture
def root(draw: Draw, tmp_path: Path) -> Path:
    draw("tile/train/good/0.png")
    for kind, count in (("cut", 4), ("good", 6), ("hole", 1)):
        for number in range(count):
            draw(f"tile/test/{kind}/{number}.png")
    return tmp_path


def names(pictures: list[LabelledPicture]) -> list[str]:
    return [f"{picture.kind}/{picture.path.stem}" for picture in pictures]


def tile(root: Path, mode: ValSplitMode, ratio: float = 0.5) -> DataModule:
    return MVTec(str(root), "tile", val_split_mode=mode, val_split_ratio=ratio)


def test_no_pictures_are_set_aside_for_validation_by_default(root: Path) -> None:
    data = MVTec(str(root), "tile")
    assert data.validation_pictures() == []
    assert len(data.test_pictures()) == 11


def test_validation_pictures_are_taken_evenly_from_each_kind_of_test_pictures(root: Path) -> None:
    data = tile(root, "from_test")
    assert names(data.validation_pictures()) == ["cut/0", "cut/2", "good/0", "good/2", "good/4"]
    assert names(data.test_pictures()) == ["cut/1", "cut/3", "good/1", "good/3", "good/5", "hole/0"]


@pytest.mark.parametrize("ratio", [0.1, 0.3, 0.9])
def test_no_picture_is_lost_or_in_both_parts(root: Path, ratio: float) -> None:
    data = tile(root, "from_test", ratio)
    parts = [*data.validation_pictures(), *data.test_pictures()]
    assert sorted(names(parts)) == names(MVTec(str(root), "tile").test_pictures())


def test_validation_pictures_may_equal_the_test_pictures_as_in_the_reference(root: Path) -> None:
    data = tile(root, "same_as_test")
    assert data.validation_pictures() == data.test_pictures()
    assert len(data.test_pictures()) == 11


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"val_split_ratio": 1.0}, "val_split_ratio is 1.0"),
        ({"train_batch_size": 0}, "train_batch_size is 0"),
        ({"num_workers": -1}, "num_workers is -1"),
    ],
)
def test_invalid_parameters_are_refused(arguments: dict[str, int], message: str) -> None:
    with pytest.raises(InvalidDataset, match=message):
        MVTec("root", "tile", **arguments)  # type: ignore[arg-type]  # one parameter per case


@pytest.mark.parametrize(("length", "count"), [(1, 0), (1, 1), (5, 2), (10, 2), (10, 9), (100, 20)])
def test_members_are_set_aside_evenly(length: int, count: int) -> None:
    stay, aside = spread(range(length), count)
    assert sorted([*stay, *aside]) == list(range(length))
    assert len(aside) == count
    gaps = {later - earlier for earlier, later in itertools.pairwise(aside)}
    assert not gaps or max(gaps) - min(gaps) <= 1
