"""Which kept pictures are asked for, and in which order."""

from dataclasses import dataclass
from enum import StrEnum


class Order(StrEnum):
    """The order of kept pictures: nearest to the threshold first (uncertain), or newest first (newest)."""

    uncertain = "uncertain"
    newest = "newest"


@dataclass(frozen=True, slots=True)
class PictureQuery:
    """Which kept pictures are asked for.

    model, label: of the verdict; None: any
    reviewed: whether they are reviewed; None: both
    after: the (uncertainty, number) of the last picture of the page before; None: from the first one
    """

    model: str | None = None
    label: str | None = None
    reviewed: bool | None = None
    order: Order = Order.uncertain
    after: tuple[float, int] | None = None
    limit: int = 100
