"""Which members of a list are set aside."""

from collections.abc import Sequence
from typing import TypeVar

from app.errors import InvalidDataset

T = TypeVar("T")


def spread(members: Sequence[T], count: int) -> tuple[list[T], list[T]]:
    """The members that stay and `count` that are set aside, spread evenly over the list; both in their order."""
    chosen = {round((number + 0.5) * len(members) / count - 0.5) for number in range(count)}
    return (
        [member for number, member in enumerate(members) if number not in chosen],
        [member for number, member in enumerate(members) if number in chosen],
    )


def require_share(name: str, share: float) -> None:
    """Raises InvalidDataset unless the share is more than 0 and less than 1."""
    if not 0 < share < 1:
        raise InvalidDataset(f"{name} is {share}; use more than 0 and less than 1")
