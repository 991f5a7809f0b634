"""Sets a share of a list aside."""

from collections.abc import Sequence
from typing import TypeVar

from app.errors import InvalidDataset

T = TypeVar("T")


def spread(members: Sequence[T], count: int) -> tuple[list[T], list[T]]:
    """Sets `count` members aside, spread evenly over the list.

    Returns the remaining members, and the members that are set aside, both in the order of the list.
    """
    chosen = {round((number + 0.5) * len(members) / count - 0.5) for number in range(count)}
    return (
        [member for number, member in enumerate(members) if number not in chosen],
        [member for number, member in enumerate(members) if number in chosen],
    )


def require_share(name: str, share: float) -> None:
    """Raises InvalidDataset unless the share is more than 0 and less than 1."""
    if not 0 < share < 1:
        raise InvalidDataset(f"{name} is {share}; use more than 0 and less than 1")
