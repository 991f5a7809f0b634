"""What is done about pictures that cannot be read."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from app.errors import InvalidDataset

OnUnreadable = Literal["stop", "skip"]
Report = Callable[[Path, str], None]
"""Told of a picture that is left out, and why."""

NAMED = 5


def unreported(path: Path, reason: str) -> None:
    """The report of pictures whose loss interests nobody."""


@dataclass(frozen=True, slots=True)
class UnreadablePolicy:
    """`stop` refuses the dataset, `skip` reports each picture and goes on without it."""

    action: OnUnreadable = "stop"
    report: Report = unreported

    def meet(self, reasons: Mapping[Path, str], total: int) -> None:
        """Of `total` pictures some cannot be read: raises InvalidDataset if none can, or where that is to stop."""
        if reasons and (self.action == "stop" or len(reasons) == total):
            few = "; ".join(f"{path}: {reason}" for path, reason in list(reasons.items())[:NAMED])
            more = f"; and {len(reasons) - NAMED} more" if len(reasons) > NAMED else ""
            raise InvalidDataset(
                f"{len(reasons)} of {total} pictures cannot be read: {few}{more}. "
                "Repair or remove them, or leave them out with on_unreadable=skip"
                if len(reasons) < total
                else f"none of {total} pictures can be read: {few}{more}"
            )
        for path, reason in reasons.items():
            self.report(path, reason)
