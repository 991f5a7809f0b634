"""Reviews move as a folder from one store to another."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from app.errors import InvalidPictures
from app.store.kept import KeptPicture
from app.store.kept.exporting import export
from app.store.kept.importing import Imported, import_folder
from tests.store.kept.making import DEFECT, HARMLESS, added, opened


def coordinates(found: dict[str, Any]) -> list[Any]:
    """The polygons of the last region, which a person drew."""
    polygons: list[Any] = found["pictures"][0]["regions"]["features"][-1]["geometry"]["coordinates"]
    return polygons


def comparable(picture: KeptPicture) -> KeptPicture:
    """The picture without what each store gives it."""
    return replace(picture, id="", kept_s=0, rule="", revision=0)


def test_an_exported_folder_is_imported_with_everything_and_once(tmp_path: Path) -> None:
    one, other = opened(tmp_path / "one"), opened(tmp_path / "other")
    ids = [added(one, number) for number in range(3)]
    one.review(ids[0], 0, DEFECT)
    one.review(ids[1], 0, HARMLESS)
    assert export(one, tmp_path / "reviews", one.each()) == 3
    assert import_folder(other, tmp_path / "reviews") == Imported(added=3)
    assert import_folder(other, tmp_path / "reviews") == Imported(unchanged=3)
    assert list(map(comparable, other.each())) == list(map(comparable, one.each()))
    assert {each.rule for each in other.each()} == {"imported"}
    one.review(ids[1], 1, replace(DEFECT, time_s=HARMLESS.time_s + 1))
    one.review(ids[0], 1, replace(HARMLESS, time_s=DEFECT.time_s - 1))
    export(one, tmp_path / "again", one.each(reviewed=True))
    assert import_folder(other, tmp_path / "again") == Imported(updated=1, unchanged=1)
    assert [each.review.label for each in other.each(reviewed=True) if each.review] == ["defect", "defect"]
    with pytest.raises(InvalidPictures, match="name a new one"):
        export(one, tmp_path / "again", one.each())
    full = opened(tmp_path / "full", bytes=110)
    assert import_folder(full, tmp_path / "again") == Imported(added=1, full=1)
    for store in (one, other, full):
        store.close()


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda found: found.clear(), "export the reviews again"),
        (lambda found: found["pictures"][0].pop("score"), "'score'"),
        (lambda found: found["pictures"][0].update(file="pictures/../../a.png"), "pictures/NAME.ENDING"),
        (lambda found: found["pictures"][0].update(sha256="0" * 64), "SHA-256 differs"),
        (lambda found: found["pictures"][0].update(format="PSD"), "'PSD' is not one of"),
        (lambda found: found["pictures"][0].update(score=float("nan")), "nan is not in"),
        (lambda found: found["pictures"][0].update(region_count=10**20), "is not from 0 to 2147483647"),
        (lambda found: found["pictures"][0]["model"].update(version=float("inf")), "inf is no whole number"),
        (lambda found: found["pictures"][0]["review"].update(time_s=float("nan")), "the time nan is no number"),
        (lambda found: found["pictures"][0]["review"].update(time_s=1e15), "is no number of seconds"),
        (lambda found: coordinates(found).clear(), "a region has no polygon"),
        (lambda found: coordinates(found)[0].clear(), "a polygon without rings"),
        (lambda found: coordinates(found)[0][0].__setitem__(slice(3), []), "less than 3 points"),
        (lambda found: coordinates(found)[0][0].__setitem__(0, [-1, 0]), "lies in no picture"),
        (lambda found: found["pictures"][0].update(label="odd"), "neither normal nor anomalous"),
        (lambda found: found["pictures"][0]["review"].update(label="fine"), "'fine' is not a valid ReviewLabel"),
        (lambda found: found["pictures"][0]["review"].update(label="harmless"), "call the picture a defect"),
    ],
)
def test_a_damaged_folder_is_refused_by_what_is_wrong(
    tmp_path: Path, damage: Callable[[dict[str, Any]], object], message: str
) -> None:
    one = opened(tmp_path / "one")
    one.review(added(one, 1), 0, DEFECT)
    export(one, tmp_path / "reviews", one.each())
    path = tmp_path / "reviews/reviews.json"
    found = json.loads(path.read_text())
    damage(found)
    path.write_text(json.dumps(found))
    other = opened(tmp_path / "other")
    with pytest.raises(InvalidPictures, match=message):
        import_folder(other, tmp_path / "reviews")
    assert not list(other.each())
    one.close()
    other.close()


def test_pictures_that_are_removed_meanwhile_are_left_out(tmp_path: Path) -> None:
    store = opened(tmp_path / "store")
    ids = [added(store, number) for number in range(3)]

    def pictures() -> Iterator[KeptPicture]:
        for each in list(store.each()):
            if each.id == ids[1]:
                store.delete(each.id, each.revision)
            yield each

    assert export(store, tmp_path / "reviews", pictures()) == 2
    other = opened(tmp_path / "other")
    assert import_folder(other, tmp_path / "reviews") == Imported(added=2)
    for each in (store, other):
        each.close()


def test_other_folders_are_refused(tmp_path: Path) -> None:
    store = opened(tmp_path / "store")
    with pytest.raises(InvalidPictures, match=r"no reviews\.json"):
        import_folder(store, tmp_path)
    (tmp_path / "reviews.json").write_text("{")
    with pytest.raises(InvalidPictures, match="not JSON"):
        import_folder(store, tmp_path)
    store.close()
