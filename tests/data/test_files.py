import os
from pathlib import Path

import pytest
from PIL import Image

from app.data import Folder, MVTec, mark_result, pictures_in
from app.errors import InvalidDataset
from tests.data.conftest import Draw

OTHERS = (".ipynb_checkpoints", "@eaDir", "lost+found", "__MACOSX", "$RECYCLE.BIN", ".hidden", "#recycle")


def test_a_folder_without_pictures_is_refused_with_the_accepted_suffixes(tmp_path: Path) -> None:
    (tmp_path / "a.gif").touch()
    with pytest.raises(InvalidDataset, match=r"no pictures.*\.bmp"):
        Folder(str(tmp_path)).train_pictures()


def test_pictures_of_a_folder_have_their_paths_below_it_as_names(draw: Draw, tmp_path: Path) -> None:
    paths = draw("b/1.png"), draw("a.tiff")
    assert pictures_in([tmp_path])[0] == {paths[1]: Path("a"), paths[0]: Path("b/1")}
    assert pictures_in([paths[0]])[0] == {paths[0]: Path("1")}


@pytest.mark.parametrize("name", OTHERS)
def test_files_of_other_programs_are_left_out_and_counted(draw: Draw, tmp_path: Path, name: str) -> None:
    own = [draw("root/a.png"), draw("root/b/c.png")]
    draw(f"root/{name}/a.png"), draw(f"root/b/{name}/c.png/x.png"), draw("root/._a.png")
    for other in (".DS_Store", "Thumbs.db", "desktop.ini"):
        (tmp_path / "root" / other).touch()
    found, left_out = pictures_in([tmp_path / "root"])
    assert list(found) == own
    assert left_out.note is not None and left_out.note.startswith("left out: 3 hidden names (")
    assert Folder(str(tmp_path / "root")).train_pictures() == own


@pytest.mark.parametrize("name", OTHERS)
def test_other_programs_add_no_kind_of_defects(draw: Draw, tmp_path: Path, name: str) -> None:
    for path in ("train/good/0.png", "test/good/1.png", "test/cut/2.png", "ground_truth/cut/2_mask.png"):
        draw(f"tile/{path}"), draw(f"tile/{Path(path).parent}/{name}/x.png")
    draw(f"tile/test/{name}/3.png")
    data = MVTec(str(tmp_path), "tile")
    assert [path.name for path in data.train_pictures()] == ["0.png"]
    assert [(test.kind, test.mask is None) for test in data.test_pictures()] == [("cut", False), ("good", True)]
    assert data.notes == [f"left out: 5 hidden names ({name})"]


def test_a_root_and_its_parents_may_be_hidden(draw: Draw, tmp_path: Path) -> None:
    path = draw(".cache/.data/a.png")
    assert Folder(str(path.parent)).train_pictures() == [path]
    assert list(pictures_in([path.parent])[0]) == [path]
    assert list(pictures_in([draw(".a.png")])[0]) == [tmp_path / ".a.png"]


def test_links_to_folders_are_followed_once(draw: Draw, tmp_path: Path) -> None:
    draw("root/own/a.png"), draw("elsewhere/b.png")
    root = tmp_path / "root"
    for name, target in {"again": "own", "far": "../elsewhere", "far2": "../elsewhere", "up": ".."}.items():
        (root / name).symlink_to(target)
    (tmp_path / "elsewhere/back").symlink_to(root)
    found, left_out = pictures_in([root])
    assert [str(path.relative_to(root)) for path in found] == ["far/b.png", "own/a.png"]
    assert {path.name for path in left_out.repeated} >= {"again", "far2", "back"}
    assert Folder(str(root)).train_pictures() == list(found)


def test_links_to_folders_are_followed_in_the_layout_of_mvtec(draw: Draw, tmp_path: Path) -> None:
    draw("far/1.png"), draw("masks/1_mask.png"), draw("normal/0.png"), draw("tile/test/good/2.png")
    for name, target in {
        "train/good": "normal",
        "test/cut": "far",
        "test/dent": "far",
        "ground_truth/cut": "masks",
    }.items():
        (tmp_path / "tile" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "tile" / name).symlink_to(tmp_path / target)
    data = MVTec(str(tmp_path), "tile")
    assert len(data.train_pictures()) == 1
    assert [(test.kind, test.mask is None) for test in data.test_pictures()] == [("cut", False), ("good", True)]
    assert data.notes == ["left out: 1 path to folders that are read already (dent)"]


def test_pictures_are_recognised_behind_links(draw: Draw, tmp_path: Path) -> None:
    draw("good/0.png"), draw("good/1.png"), draw("bad/0.png")
    (tmp_path / "good/extra").symlink_to("../bad")
    with pytest.raises(InvalidDataset, match="in two of the folders"):
        Folder(str(tmp_path), "good", "bad").train_pictures()


def test_links_to_nowhere_are_listed_and_pipes_are_not(draw: Draw, tmp_path: Path) -> None:
    draw("a.png")
    (tmp_path / "b.png").symlink_to("nowhere")
    (tmp_path / "c.png").symlink_to("c.png")
    (tmp_path / "folder.png").mkdir()
    os.mkfifo(tmp_path / "d.png")
    assert [path.name for path in pictures_in([tmp_path])[0]] == ["a.png", "b.png", "c.png"]


def test_results_of_predict_are_left_out_and_own_pictures_of_such_names_are_not(draw: Draw, tmp_path: Path) -> None:
    own = [draw("a.mask.png"), draw("b.overlay.png", 9), draw("c.png")]
    results = [draw("c.mask.png"), draw("r/c.overlay.png")]
    for path in results:
        path.write_bytes(mark_result(path.read_bytes()))
        with Image.open(path) as image:
            assert image.size == (12, 8)
    found, left_out = pictures_in([tmp_path])
    assert list(found) == own
    assert left_out.note == "left out: 2 results of tessera predict (c.mask.png, c.overlay.png)"
    assert list(pictures_in([own[2], *results])[0]) == own[2:]
    with pytest.raises(InvalidDataset, match="is a result of tessera predict"):
        pictures_in(results)
