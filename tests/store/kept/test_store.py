"""Kept pictures: the same in SQLite and in PostgreSQL."""

from collections import UserDict
from collections.abc import Callable, ItemsView, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from app.errors import InvalidPictures, InvalidReview, PictureNotFound, ReviewConflict
from app.reviews import ReviewLabel
from app.store import JobFolders, JobTable
from app.store.address import DatabaseAddress
from app.store.kept import Kept, KeptPicture, Order, PictureFile, PictureQuery, PictureStore, Review
from tests.store.kept.making import DEFECT, HARMLESS, HOLE, SQUARE, added, draft, opened

Open = Callable[..., PictureStore]


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest) -> str:
    """The address of a new database; empty: SQLite in the folder."""
    return "" if request.param == "sqlite" else request.getfixturevalue("database_server").database()


@pytest.fixture
def open_store(tmp_path: Path, database: str) -> Iterator[Open]:
    stores: list[PictureStore] = []

    def start(**bounds: float) -> PictureStore:
        stores.append(opened(tmp_path / "kept", database, **bounds))
        return stores[-1]

    yield start
    for store in stores:
        store.close()


def everything(store: PictureStore) -> list[KeptPicture]:
    return list(store.each())


def folders(tmp_path: Path) -> set[str]:
    return {each.name for each in (tmp_path / "kept" / "pictures").iterdir()}


def test_a_picture_is_read_as_it_was_kept_also_by_another_server(open_store: Open) -> None:
    store, given = open_store(), draft(1)
    outcome, id = store.add(given)
    found = open_store().get(id)
    assert outcome is Kept.kept and (found.verdict, found.size, found.rule) == (given.verdict, given.size, "all")
    assert (found.name, found.format, found.bytes, found.review, found.revision) == ("p1.png", "PNG", 104, None, 0)
    assert store.read(id, PictureFile.picture) == given.files[PictureFile.picture]
    assert store.read(id, PictureFile.heatmap) == b"heat" and not store.has(id, PictureFile.shown)
    for wrong in ("0" * 16, "../kept", "a\0", ""):
        with pytest.raises(PictureNotFound, match="no kept picture"):
            store.get(wrong)


def test_pages_have_an_order_and_filters(open_store: Open) -> None:
    store = open_store()
    scores = (0.875, 0.53125, 0.46875, 0.53125, 0.125)
    ids = [added(store, number, score) for number, score in enumerate(scores)]
    ids.append(added(store, 9, 0.5625, model="screw"))
    store.review(ids[0], 0, HARMLESS)

    def pages(**query: object) -> list[list[str]]:
        asked, found = PictureQuery(limit=2, **query), []  # type: ignore[arg-type]
        while True:
            page, place = store.find(asked)
            found.append([each.id for each in page])
            if place is None:
                return found
            asked = replace(asked, after=place)

    assert pages(model="surface") == [[ids[1], ids[2]], [ids[3], ids[0]], [ids[4]]]
    assert pages(order=Order.newest) == [[ids[5], ids[4]], [ids[3], ids[2]], [ids[1], ids[0]]]
    assert pages(label="normal", order=Order.newest) == [[ids[4], ids[2]]]
    assert pages(reviewed=True) == [[ids[0]]] and pages(model="none") == [[]]
    assert store.count(PictureQuery(reviewed=False, limit=1)) == 5


def test_a_file_is_kept_once_for_a_model_and_a_new_version_replaces_an_old_verdict(
    open_store: Open, tmp_path: Path
) -> None:
    store = open_store()
    id = added(store, 1)
    assert store.add(draft(1)) == (Kept.known, id)
    outcome, newer = store.add(draft(1, version=4, digest="e" * 64))
    assert outcome is Kept.kept and [each.verdict.version for each in everything(store)] == [4]
    store.review(newer, 0, DEFECT)
    assert store.add(draft(1, version=5, digest="f" * 64)) == (Kept.known, newer)
    assert store.add(draft(1, model="screw"))[0] is Kept.kept
    assert folders(tmp_path) == {each.id for each in everything(store)} and len(everything(store)) == 2


def test_a_file_that_another_server_keeps_at_the_same_moment_is_known(open_store: Open, tmp_path: Path) -> None:
    store, other = open_store(), open_store()

    class Files(UserDict[PictureFile, bytes]):
        def items(self) -> ItemsView[PictureFile, bytes]:  # the store writes the files now
            added(other, 1)
            return super().items()

    outcome, id = store.add(replace(draft(1), files=Files(draft(1).files)))
    assert (outcome, [id]) == (Kept.known, [each.id for each in everything(other)]) and folders(tmp_path) == {id}


def test_the_oldest_without_a_review_make_room(open_store: Open, tmp_path: Path) -> None:
    store = open_store(bytes=350)
    ids = [added(store, number) for number in range(3)]  # 104 bytes each
    store.review(ids[0], 0, HARMLESS)
    newest = added(store, 3)
    assert [each.id for each in everything(store)] == [ids[0], ids[2], newest]
    for id in (ids[2], newest):
        store.review(id, 0, HARMLESS)
    assert store.add(draft(4)) == (Kept.full, "")  # reviewed pictures give way to no other
    usage = store.usage()
    assert (usage.unreviewed, usage.reviewed, usage.bytes) == (0, 3, 312)
    assert folders(tmp_path) == {ids[0], ids[2], newest}


def test_a_picture_that_cannot_fit_removes_no_other(open_store: Open) -> None:
    store = open_store(bytes=350)
    ids = [added(store, number) for number in range(3)]
    assert store.add(replace(draft(3), files={PictureFile.picture: b"x" * 400})) == (Kept.full, "")
    assert [each.id for each in everything(store)] == ids
    store.review(ids[0], 0, HARMLESS)
    assert store.add(replace(draft(3), files={PictureFile.picture: b"x" * 300})) == (Kept.full, "")
    assert [each.id for each in everything(store)] == ids


def test_pictures_expire_by_their_age_and_reviewed_ones_by_that_of_their_review(
    open_store: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, now = open_store(age_s=100, reviewed_age_s=500), 1_800_000_000.0
    monkeypatch.setattr("app.store.kept.store.time", lambda: now)
    ids = [added(store, number) for number in range(2)]
    store.review(ids[1], 0, replace(HARMLESS, time_s=now + 50))
    for later, left in ((99, ids), (101, ids[1:]), (549, ids[1:]), (551, [])):
        monkeypatch.setattr("app.store.kept.store.time", lambda later=later: now + later)
        store.expire()
        assert [each.id for each in everything(store)] == left
    unlimited = open_store(age_s=100)
    kept = added(unlimited, 5)
    unlimited.review(kept, 0, HARMLESS)
    monkeypatch.setattr("app.store.kept.store.time", lambda: now + 1e9)
    unlimited.expire()
    assert unlimited.get(kept).review == HARMLESS


def test_a_disk_with_too_little_room_keeps_nothing(open_store: Open, tmp_path: Path) -> None:
    store = open_store(free_bytes=2**60)
    assert store.add(draft(1)) == (Kept.full, "") and not folders(tmp_path)


def test_two_reviewers_do_not_overwrite_each_other_unseen(open_store: Open) -> None:
    store = open_store()
    id = added(store, 1)
    first = store.review(id, 0, DEFECT)
    assert first.review == DEFECT and first.revision == 1
    with pytest.raises(ReviewConflict, match="somebody else"):
        store.review(id, 0, HARMLESS)
    assert store.get(id).review == DEFECT
    assert store.review(id, 1, None).review is None
    with pytest.raises(ReviewConflict):
        store.delete(id, 1)
    store.delete(id, 2)
    with pytest.raises(PictureNotFound):
        store.delete(id, 2)


@pytest.mark.parametrize(
    ("review", "message"),
    [
        (Review(ReviewLabel.unsure, ((1, ReviewLabel.unsure),)), "1 regions, numbered from 0, and the review judges"),
        (Review(ReviewLabel.unsure, ((0, ReviewLabel.unsure),) * 2), "twice"),
        (Review(ReviewLabel.harmless, ((0, ReviewLabel.defect),)), "call the picture a defect"),
        (Review(ReviewLabel.unsure, (), ((SQUARE,),)), "call the picture a defect"),
        (Review(ReviewLabel.defect, (), ((SQUARE[:2],),)), "at least 3"),
        (Review(ReviewLabel.defect, (), (((*SQUARE, (161.0, 5.0)),),)), "160 x 96"),
        (Review(ReviewLabel.defect, (), ((SQUARE,),) * 201), "at most 200"),
        (Review(ReviewLabel.defect, (), ((SQUARE * 5001,),)), "20,004 points"),
    ],
)
def test_reviews_that_do_not_fit_are_refused(tmp_path: Path, review: Review, message: str) -> None:
    store = opened(tmp_path)
    id = added(store, 1)
    with pytest.raises(InvalidReview, match=message):
        store.review(id, 0, review)
    assert store.get(id).review is None
    store.close()


def test_reviewed_pictures_are_what_models_are_taught_by(open_store: Open) -> None:
    store = open_store()
    ids = [added(store, number) for number in range(3)]
    store.review(ids[2], 0, DEFECT)
    store.review(ids[0], 0, HARMLESS)
    added(store, 7, model="screw")
    first, second = map(store.judged, store.each(model="surface", reviewed=True))
    assert (first.label, [each.label for each in first.regions]) == (ReviewLabel.harmless, [ReviewLabel.harmless] * 2)
    assert first.name == f"p0.png ({ids[0]})" and first.digest == store.get(ids[0]).digest[:16]
    found, drawn = second.regions[0], second.regions[-1]
    assert (found.rings, found.missed) == ((SQUARE, HOLE), False)
    assert (drawn.rings, drawn.missed, drawn.label) == ((SQUARE,), True, "defect")


def test_files_without_a_picture_are_removed_once_they_are_old(
    open_store: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_store()
    id = added(store, 1)
    (tmp_path / "kept/pictures/feedfeedfeedfeed").mkdir()
    (tmp_path / "kept/pictures/.writing-abc").mkdir()
    store.sweep()
    assert folders(tmp_path) == {id, "feedfeedfeedfeed"}
    monkeypatch.setattr("app.store.kept.files.FORGOTTEN_S", -1.0)
    store.sweep()
    assert folders(tmp_path) == {id}


def test_jobs_and_pictures_share_a_database_in_either_order(tmp_path: Path, database: str) -> None:
    if not database:
        pytest.skip("each has a SQLite database of its own")
    opened(tmp_path / "kept", database).close()
    JobTable(DatabaseAddress.parse(database), JobFolders(tmp_path / "jobs")).close()
    store = opened(tmp_path / "kept", database)
    assert added(store, 1)
    store.close()


def test_a_database_and_a_folder_that_do_not_belong_together_are_refused(tmp_path: Path) -> None:
    opened(tmp_path / "one").close()
    opened(tmp_path / "two").close()
    (tmp_path / "one/pictures.sqlite").replace(tmp_path / "two/pictures.sqlite")
    with pytest.raises(InvalidPictures, match="pictures_dir"):
        opened(tmp_path / "two")
    (tmp_path / "two/pictures.sqlite").write_bytes(b"no database" * 100)
    with pytest.raises(InvalidPictures, match="move it away"):
        opened(tmp_path / "two")
    (tmp_path / "file").write_text("")
    with pytest.raises(InvalidPictures, match="cannot be used"):
        opened(tmp_path / "file")
