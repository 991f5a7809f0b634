"""The pictures by which a candidate is proved: those that a store keeps."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import chain

from torch import Tensor

from app.reviews import ReviewedPicture, ReviewLabel
from app.store.kept import KeptPicture, Order, PictureQuery, PictureStore

MOST_UNREVIEWED = 200
"""The newest pictures without a review that are replayed; of the reviewed ones, all are."""
LONGEST_NAME = 200
"""The most characters of a name."""


@dataclass(frozen=True, slots=True)
class KnownPicture:
    """A kept picture of a model.

    id: in the store
    name: of its file; may be empty
    digest: of its file
    review: None: nobody has reviewed it
    reviewer: the name of the reviewer's API key; empty: the server has no keys, or there is no review
    read: its pixels [C,H,W] uint8 or uint16; raises TesseraError or OSError
    """

    id: str
    name: str
    digest: str
    review: ReviewedPicture | None
    reviewer: str
    read: Callable[[], Tensor]

    @property
    def label(self) -> ReviewLabel | None:
        """What the review calls the whole picture; None: there is none."""
        return None if self.review is None else self.review.label


def known_pictures(store: PictureStore, model: str, most_unreviewed: int = MOST_UNREVIEWED) -> list[KnownPicture]:
    """All reviewed pictures of a model, and the newest others, in the order of their digests.

    The order is random as far as the pictures are concerned, and the same for the same pictures.
    """
    query = PictureQuery(model=model, reviewed=False, order=Order.newest, limit=most_unreviewed)
    kept = chain(store.each(model=model, reviewed=True), store.find(query)[0])
    return sorted((_known(store, each) for each in kept), key=lambda each: each.digest)


def _known(store: PictureStore, kept: KeptPicture) -> KnownPicture:
    review = None if kept.review is None else store.judged(kept)
    reviewer = kept.review.reviewer if kept.review else ""
    return KnownPicture(
        kept.id, kept.name[:LONGEST_NAME], kept.digest, review, reviewer, partial(store.pixels, kept.id)
    )
