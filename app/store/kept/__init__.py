"""Pictures that are kept with their verdicts, and what people said about them."""

from app.store.kept.bounds import Bounds, Usage
from app.store.kept.draft import Draft, Kept
from app.store.kept.files import PictureFile
from app.store.kept.picture import KeptPicture, KeptRegion, Polygon, Review, Verdict
from app.store.kept.query import Order, PictureQuery
from app.store.kept.review import MOST_MISSED, MOST_POINTS, check_review
from app.store.kept.store import PictureStore

__all__ = [
    "MOST_MISSED",
    "MOST_POINTS",
    "Bounds",
    "Draft",
    "Kept",
    "KeptPicture",
    "KeptRegion",
    "Order",
    "PictureFile",
    "PictureQuery",
    "PictureStore",
    "Polygon",
    "Review",
    "Usage",
    "Verdict",
    "check_review",
]
