"""How long work says how far it is."""

from typing import Protocol


class Progress(Protocol):
    """Is called whenever some of the work is done."""

    def __call__(self, stage: str, done: int, total: int, note: str = "") -> None:
        """`done` of `total` units of a stage are done; `note` says what else is known of them."""


def silent(stage: str, done: int, total: int, note: str = "") -> None:
    """The progress of work that nobody watches."""
