"""How long-running work reports its progress."""

from typing import Protocol


class Progress(Protocol):
    """Is called whenever a part of the work is done."""

    def __call__(self, stage: str, done: int, total: int, note: str = "") -> None:
        """Reports that `done` of `total` units of a stage are done; `note` adds other information, such as the loss."""


def silent(stage: str, done: int, total: int, note: str = "") -> None:
    """Reports nothing."""
