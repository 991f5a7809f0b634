from pathlib import Path

import pytest

from app.data import Folder, pictures_in
from app.errors import InvalidDataset
from tests.data.conftest import Draw


def test_a_folder_without_pictures_is_refused_with_the_accepted_suffixes(tmp_path: Path) -> None:
    (tmp_path / "a.gif").touch()
    with pytest.raises(InvalidDataset, match=r"no pictures.*\.bmp"):
        Folder(str(tmp_path)).train_pictures()


def test_pictures_of_a_folder_have_their_paths_below_it_as_names(draw: Draw, tmp_path: Path) -> None:
    paths = draw("b/1.png"), draw("a.tiff")
    assert pictures_in(tmp_path) == [(paths[1], Path("a")), (paths[0], Path("b/1"))]
    assert pictures_in(paths[0]) == [(paths[0], Path("1"))]
