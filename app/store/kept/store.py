"""Keeps pictures with their verdicts within bounds, and takes their reviews."""

import hashlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from secrets import token_hex
from time import time
from typing import TYPE_CHECKING

from app.errors import InvalidPictures, PictureNotFound, ReviewConflict
from app.reviews import ReviewedPicture, ReviewedRegion, ReviewLabel
from app.store.address import DatabaseAddress
from app.store.kept.bounds import Bounds, Usage
from app.store.kept.draft import Draft, Kept
from app.store.kept.files import PictureFile, PictureFolders
from app.store.kept.picture import KeptPicture, Review
from app.store.kept.query import PictureQuery
from app.store.kept.review import check_review
from app.store.kept.table import PictureTable

if TYPE_CHECKING:
    from torch import Tensor

DIGEST_DIGITS = 16
"""The hexadecimal digits of digests of pictures in the manifests of artifacts."""
MOST_FILE_BYTES = 2**31
"""The largest file that is read back."""
MOST_PIXELS = 2**31
"""The limit of pixels when a kept picture is decoded: the server has admitted it before."""
AT_ONCE = 50
"""The pictures that are read at a time while room is made."""


class PictureStore:
    """Kept pictures. Any thread may call any method; all of them block on the disk.

    Rows are added after the files of their pictures, and removed before them. So a picture that is listed has all its
    files, and a kill leaves at most files without a row, which `sweep` removes.

    database: the address of the database that servers share; empty: a SQLite database in `folder`

    The constructor raises InvalidPictures or InvalidJobs (for the address); methods raise PicturesDatabaseUnavailable.
    """

    def __init__(self, folder: Path, database: str, bounds: Bounds) -> None:
        self._bounds = bounds
        address = DatabaseAddress.parse(database) if database else DatabaseAddress.of_file(folder / "pictures.sqlite")
        try:
            self._folders = PictureFolders(folder)
        except OSError as error:
            raise InvalidPictures(f"{folder} (pictures_dir) cannot be used: {error.strerror or error}") from error
        self._table = PictureTable(address, self._folders)

    @property
    def failing(self) -> bool:
        """Whether the database cannot be used at present."""
        return self._table.failing

    def close(self) -> None:
        self._table.close()

    def add(self, draft: Draft, *, review: Review | None = None) -> tuple[Kept, str]:
        """Keeps a picture, and returns what became of it, and the id of the picture in the store; empty: none is there.

        A picture without a review is replaced by the same file with the verdict of another version. Raises OSError.
        """
        digest = hashlib.sha256(draft.files[PictureFile.picture]).hexdigest()
        same = self._table.of_digest(draft.verdict.model, digest)
        if same is not None and (same.review is not None or same.verdict.digest == draft.verdict.digest):
            return Kept.known, same.id
        size = sum(map(len, draft.files.values()))
        if not self._made_room(size):
            return Kept.full, ""
        id = token_hex(8)
        name = draft.name.replace("\0", "")  # PostgreSQL takes no NUL
        picture = KeptPicture(
            id, name, digest, draft.format, size, draft.size, draft.verdict, time(), draft.rule, review
        )
        self._folders.write(id, draft.files)
        try:
            if same is not None and self._table.remove_unreviewed(same.id):
                self._folders.remove(same.id)
            added = self._table.add(picture)
        except BaseException:
            self._folders.remove(id)
            raise
        if not added:  # another server was first, or a person has reviewed the picture that was to be replaced
            self._folders.remove(id)
            same = self._table.of_digest(draft.verdict.model, digest)
            return Kept.known, same.id if same else ""
        return Kept.kept, id

    def get(self, id: str) -> KeptPicture:
        """Raises PictureNotFound."""
        picture = self._table.get(id) if id.isascii() and id.isalnum() else None  # PostgreSQL takes no NUL
        if picture is None:
            raise PictureNotFound(
                f"there is no kept picture {id[:40]!r}; it may have been removed by its age, or to make room"
            )
        return picture

    def find(self, query: PictureQuery) -> tuple[list[KeptPicture], tuple[float, int] | None]:
        """The pictures of a query, and the place after which the next page begins (None: there is none)."""
        found = self._table.find(replace(query, limit=query.limit + 1))
        page = [picture for _, picture in found[: query.limit]]
        if len(found) <= query.limit:
            return page, None
        number, last = found[query.limit - 1]
        return page, (last.verdict.uncertainty, number)

    def count(self, query: PictureQuery) -> int:
        """The number of pictures of a query on all pages."""
        return self._table.count(query)

    def each(self, *, model: str | None = None, reviewed: bool | None = None) -> Iterator[KeptPicture]:
        """All pictures (of a model), the oldest first, read a few at a time."""
        return self._table.each(model=model, reviewed=reviewed)

    def has(self, id: str, file: PictureFile) -> bool:
        """Whether a picture has this file."""
        return self._folders.path(id, file).exists()

    def read(self, id: str, file: PictureFile) -> bytes:
        """A file of a picture. Raises PictureNotFound if the picture was removed meanwhile, and OSError."""
        try:
            return self._folders.read(id, file, MOST_FILE_BYTES)
        except FileNotFoundError as error:
            raise PictureNotFound(f"the kept picture {id!r} has no such file; it may have been removed") from error

    def review(self, id: str, revision: int, review: Review | None) -> KeptPicture:
        """Sets the review of a picture that is in this revision, or removes it (None). Returns the picture.

        Raises PictureNotFound, InvalidReview, or ReviewConflict if the picture is in another revision.
        """
        picture = self.get(id)
        if review is not None:
            check_review(picture, review)
        if not self._table.set_review(id, revision, review):
            raise self._conflict(id)
        return self.get(id)

    def delete(self, id: str, revision: int) -> None:
        """Removes a picture that is in this revision. Raises PictureNotFound or ReviewConflict."""
        if not self._table.remove(id, revision):
            raise self._conflict(id)
        self._folders.remove(id)

    def judged(self, picture: KeptPicture) -> ReviewedPicture:
        """A picture that has a review. It is decoded in the calling process."""
        review = picture.review
        assert review is not None
        judged = [
            ReviewedRegion(label, polygon)
            for number, label in review.regions
            for polygon in picture.verdict.regions[number].outline
        ]
        missed = [ReviewedRegion(ReviewLabel.defect, polygon, missed=True) for polygon in review.missed]
        return ReviewedPicture(
            picture.shown_name,
            picture.digest[:DIGEST_DIGITS],
            review.label,
            (*judged, *missed),
            partial(self.pixels, picture.id),
        )

    def pixels(self, id: str) -> "Tensor":
        """The pixels [C,H,W] uint8 or uint16 of a picture, which is decoded in the calling process.

        Raises PictureNotFound if the picture was removed meanwhile, InvalidImage, and OSError.
        """
        from app.decoding import decode  # needs torch, which the command `reviews` does without

        return decode(self.read(id, PictureFile.picture), max_pixels=MOST_PIXELS, lenient=True)

    def expire(self) -> None:
        """Removes the pictures that are over the bounds of age."""
        now, bounds = time(), self._bounds
        reviewed_before_s = now - bounds.reviewed_age_s if bounds.reviewed_age_s else 0.0
        for id, is_reviewed in self._table.over_age(now - bounds.age_s, reviewed_before_s):
            if self._table.remove(id) if is_reviewed else self._table.remove_unreviewed(id):
                self._folders.remove(id)

    def sweep(self) -> None:
        """Removes files without a picture, which killed servers left."""
        with suppress(OSError):
            self._folders.sweep(self._table.ids())

    def usage(self) -> Usage:
        """What is in the store."""
        return Usage(*self._table.totals())

    def _made_room(self, size: int) -> bool:
        """Removes the oldest pictures without a review until so many bytes fit; returns whether they do.

        Removes none if the reviewed pictures leave too little room.
        """
        if self._folders.free_bytes() < self._bounds.free_bytes + size:
            return False
        if self._table.reviewed_bytes() + size > self._bounds.bytes:
            return False
        while (total := self.usage().bytes) + size > self._bounds.bytes:
            oldest = self._table.oldest_unreviewed(AT_ONCE)
            if not oldest:
                return False
            for id, taken in oldest:
                if total + size <= self._bounds.bytes:
                    break
                if self._table.remove_unreviewed(id):
                    self._folders.remove(id)
                    total -= taken
        return True

    def _conflict(self, id: str) -> ReviewConflict:
        """The error of a picture that is not in the expected revision. Raises PictureNotFound if it is gone."""
        self.get(id)
        return ReviewConflict(f"the picture {id!r} was reviewed by somebody else meanwhile; read it again, then decide")
