"""The table of kept pictures, in a database. Each change is on the disk when the call returns."""

from collections.abc import Iterator
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, case, delete, func, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from app.errors import InvalidPictures, PicturesDatabaseUnavailable
from app.store.address import DatabaseAddress
from app.store.database import Contents, Database
from app.store.folder_id import bind_folder
from app.store.kept.files import PictureFolders
from app.store.kept.picture import KeptPicture, Review
from app.store.kept.query import Order, PictureQuery
from app.store.kept.rows import picture_of_row, picture_row, review_text
from app.store.kept.schema import FOLDER, kept, make_tables

AT_ONCE = 200
"""The rows that an iteration reads at a time."""
_KEPT = Contents(
    "kept pictures",
    InvalidPictures,
    PicturesDatabaseUnavailable,
    "predictions go on, and new pictures are not kept",
)


class PictureTable:
    """The kept pictures of the servers that use a database. Any thread may call any method.

    Methods raise PicturesDatabaseUnavailable. The constructor raises InvalidPictures for a database that cannot be
    used, that is of a later version, or whose files are not in `folders`; a database that is away is no error: it is
    tried again.
    """

    def __init__(self, address: DatabaseAddress, folders: PictureFolders) -> None:
        def prepare(connection: Connection) -> None:
            make_tables(connection, address.name)
            bind_folder(connection, FOLDER, folders.id, address.name, _KEPT, "pictures_dir")

        self._database = Database(address, _KEPT, prepare)
        self._database.start(f"move it away, and the file {folders.id.path} with it")

    @property
    def failing(self) -> bool:
        """Whether the database cannot be used at present."""
        return self._database.failing

    def close(self) -> None:
        self._database.close()

    def add(self, picture: KeptPicture) -> bool:
        """Adds a picture; returns False if its model has a picture with this digest already."""
        try:
            with self._database.begin() as connection:
                connection.execute(insert(kept), picture_row(picture))
        except IntegrityError:
            return False
        return True

    def get(self, id: str) -> KeptPicture | None:
        return next((picture for _, picture in self._pictures(select(kept).where(kept.c.id == id))), None)

    def of_digest(self, model: str, digest: str) -> KeptPicture | None:
        """The picture with this digest that a version of the model has judged."""
        same = select(kept).where(kept.c.model == model, kept.c.digest == digest)
        return next((picture for _, picture in self._pictures(same)), None)

    def find(self, query: PictureQuery) -> list[tuple[int, KeptPicture]]:
        """The pictures of a query with their numbers, in its order."""
        chosen = select(kept).where(*_wanted(query)).limit(query.limit)
        if query.after is not None:
            uncertainty, number = query.after
            same = and_(kept.c.uncertainty == uncertainty, kept.c.number > number)
            is_later = or_(kept.c.uncertainty > uncertainty, same)
            chosen = chosen.where(is_later if query.order is Order.uncertain else kept.c.number < number)
        if query.order is Order.uncertain:
            return self._pictures(chosen.order_by(kept.c.uncertainty, kept.c.number))
        return self._pictures(chosen.order_by(kept.c.number.desc()))

    def count(self, query: PictureQuery) -> int:
        """The number of pictures of a query on all pages."""
        with self._database.begin(writing=False) as connection:
            return int(connection.scalar(select(func.count()).select_from(kept).where(*_wanted(query))) or 0)

    def each(self, *, model: str | None = None, reviewed: bool | None = None) -> Iterator[KeptPicture]:
        """All pictures, the oldest first. Pictures that are added or removed meanwhile may be left out."""
        last, query = -1, PictureQuery(model=model, reviewed=reviewed)
        while True:
            chosen = select(kept).where(*_wanted(query), kept.c.number > last).order_by(kept.c.number).limit(AT_ONCE)
            found = self._pictures(chosen)
            if not found:
                return
            last = found[-1][0]
            yield from (picture for _, picture in found)

    def set_review(self, id: str, revision: int, review: Review | None) -> bool:
        """Sets or removes the review of a picture; returns False if there is no such picture in this revision."""
        values = {
            "review": None if review is None else review_text(review),
            "reviewed_s": None if review is None else review.time_s,
            "revision": revision + 1,
        }
        same = update(kept).where(kept.c.id == id, kept.c.revision == revision).values(values)
        with self._database.begin() as connection:
            return connection.execute(same).rowcount > 0

    def remove(self, id: str, revision: int | None = None) -> bool:
        """Forgets a picture; returns False if there is no such picture (in this revision)."""
        chosen = delete(kept).where(kept.c.id == id)
        with self._database.begin() as connection:
            removed = connection.execute(chosen if revision is None else chosen.where(kept.c.revision == revision))
            return removed.rowcount > 0

    def remove_unreviewed(self, id: str) -> bool:
        """Forgets a picture unless it is reviewed; returns whether it was forgotten."""
        with self._database.begin() as connection:
            unreviewed = delete(kept).where(kept.c.id == id, kept.c.review.is_(None))
            return connection.execute(unreviewed).rowcount > 0

    def oldest_unreviewed(self, most: int) -> list[tuple[str, int]]:
        """The ids and bytes of the oldest pictures without a review."""
        chosen = select(kept.c.id, kept.c.bytes).where(kept.c.review.is_(None)).order_by(kept.c.number).limit(most)
        with self._database.begin(writing=False) as connection:
            return [(row.id, int(row.bytes)) for row in connection.execute(chosen)]

    def over_age(self, unreviewed_before_s: float, reviewed_before_s: float) -> list[tuple[str, bool]]:
        """The ids of pictures that are over these ages, and whether each is reviewed."""
        old = and_(kept.c.review.is_(None), kept.c.kept_s < unreviewed_before_s)
        chosen = select(kept.c.id, kept.c.reviewed_s).where(or_(old, kept.c.reviewed_s < reviewed_before_s))
        with self._database.begin(writing=False) as connection:
            return [(row.id, row.reviewed_s is not None) for row in connection.execute(chosen)]

    def ids(self) -> set[str]:
        """The ids of all pictures."""
        with self._database.begin(writing=False) as connection:
            return set(connection.scalars(select(kept.c.id)))

    def totals(self) -> tuple[int, int, int]:
        """The number of pictures without a review, the number with one, and the bytes of all."""
        reviewed = func.coalesce(func.sum(case((kept.c.review.is_not(None), 1), else_=0)), 0)
        chosen = select(func.count(), reviewed, func.coalesce(func.sum(kept.c.bytes), 0)).select_from(kept)
        with self._database.begin(writing=False) as connection:
            count, judged, total = connection.execute(chosen).one()
        return int(count) - int(judged), int(judged), int(total)

    def reviewed_bytes(self) -> int:
        """The bytes of all pictures with a review."""
        with self._database.begin(writing=False) as connection:
            return int(connection.scalar(select(func.sum(kept.c.bytes)).where(kept.c.review.is_not(None))) or 0)

    def _pictures(self, chosen: Select[Any]) -> list[tuple[int, KeptPicture]]:
        with self._database.begin(writing=False) as connection:
            rows = connection.execute(chosen).mappings().all()
        return [(int(row["number"]), picture_of_row(row)) for row in rows]


def _wanted(query: PictureQuery) -> list[ColumnElement[bool]]:
    """The conditions of a query without its place."""
    wanted: list[ColumnElement[bool]] = []
    if query.model is not None:
        wanted.append(kept.c.model == query.model)
    if query.label is not None:
        wanted.append(kept.c.label == query.label)
    if query.reviewed is not None:
        wanted.append(kept.c.review.is_not(None) if query.reviewed else kept.c.review.is_(None))
    return wanted
