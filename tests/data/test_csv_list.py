from pathlib import Path

import pytest

from app.data import CsvList
from app.errors import InvalidDataset
from tests.data.conftest import Draw


@pytest.fixture
def pictures(draw: Draw, tmp_path: Path) -> Path:
    for name in ("0.png", "1.png", "2.png", "3.png", "sub/a, b.png", "masks/3.png"):
        draw(name)
    return tmp_path


def listed(folder: Path, *lines: str, encoding: str = "utf-8") -> CsvList:
    (folder / "list.csv").write_text("\n".join(lines) + "\n", encoding=encoding)
    return CsvList(str(folder / "list.csv"))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_a_list_gives_paths_kinds_masks_and_splits(pictures: Path, encoding: str) -> None:
    data = listed(
        pictures,
        "split,label,image,mask,remark",
        "train,good,0.png,,ä",
        f"train,Normal,{pictures / '1.png'},,absolute",
        "",
        'val,normal,"sub/a, b.png",,quoted',
        "test,scratch,3.png,masks/3.png,",
        "val,anomalous,2.png,,",
        encoding=encoding,
    )
    assert data.train_pictures() == [pictures / "0.png", pictures / "1.png"]
    validation = [(found.path.name, found.kind) for found in data.validation_pictures()]
    assert validation == [("2.png", "anomalous"), ("a, b.png", "good")]
    (test,) = data.test_pictures()
    assert (test.path, test.kind, test.mask) == (pictures / "3.png", "scratch", pictures / "masks/3.png")


def test_without_a_split_defects_and_some_normal_pictures_are_tested_on(pictures: Path) -> None:
    data = listed(pictures, "image,label", "0.png,good", "1.png,good", "2.png,good", "3.png,cut")
    assert [path.stem for path in data.train_pictures()] == ["0", "2"]
    assert data.test_note is not None and data.test_note.startswith("1 of 3 ")
    assert [(test.path.stem, test.kind) for test in data.test_pictures()] == [("1", "good"), ("3", "cut")]
    assert data.validation_pictures() == []


def test_without_defects_all_pictures_are_trained_on(pictures: Path) -> None:
    data = listed(pictures, "image,label", "0.png,good", "1.png,good")
    assert len(data.train_pictures()) == 2
    assert data.test_pictures() == []


def test_validation_pictures_of_the_list_take_precedence_over_the_mode(pictures: Path) -> None:
    listed(pictures, "image,label,split", "0.png,good,train", "1.png,good,val", "2.png,cut,test", "3.png,cut,test")
    data = CsvList(str(pictures / "list.csv"), val_split_mode="from_test")
    assert [found.path.stem for found in data.validation_pictures()] == ["1"]
    assert len(data.test_pictures()) == 2


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([], "line 1: .*''.*image and label"),
        (["picture,label"], "line 1: .*'picture,label'.*image and label"),
        (["image;label", "0.png;good"], "line 1: .*'image;label'.*commas"),
        (["image,label,label"], "line 1: .*'image,label,label'.*once"),
        (["image,label", "0.png,good", "9.png,good"], "line 3: column image: .*9.png"),
        (["image,label", ",good"], "line 2: column image: empty"),
        (["image,label", "0.png,"], "line 2: column label: empty"),
        (["image,label", "0.png,good,train"], "line 2: 3 fields.* 2"),
        (["image,label,mask", "3.png,cut,9.png"], "line 2: column mask: .*9.png"),
        (["image,label,split", "0.png,good,valid"], "line 2: column split: 'valid'.*train, val or test"),
        (["image,label,split", "3.png,cut,train"], "line 2: column split: 'cut'"),
        (["image,label", "0.png,good", "sub/../0.png,good"], "line 3: column image: 0.png .*line 2"),
        (["image,label", '"0.png,good'], "line 2: .*end of data"),
        (["image,label", "3.png,cut"], "no normal picture"),
    ],
)
def test_an_invalid_list_is_refused_with_line_and_column(pictures: Path, lines: list[str], message: str) -> None:
    with pytest.raises(InvalidDataset, match=message):
        listed(pictures, *lines).train_pictures()


def test_a_missing_list_or_one_in_another_encoding_is_refused(pictures: Path) -> None:
    with pytest.raises(InvalidDataset, match=r"nowhere\.csv.*No such file"):
        CsvList("nowhere.csv").train_pictures()
    with pytest.raises(InvalidDataset, match="UTF-8"):
        listed(pictures, "image,label", "0.png,gut für alle", encoding="latin-1").train_pictures()


def test_missing_pictures_stay_in_the_list_if_unreadable_ones_are_skipped(pictures: Path) -> None:
    listed(pictures, "image,label", "0.png,good", "9.png,good")
    data = CsvList(str(pictures / "list.csv"), on_unreadable="skip")
    assert data.train_pictures() == [pictures / "0.png", pictures / "9.png"]
