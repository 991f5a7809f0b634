"""The policy for pictures that cannot be read."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from app.errors import InvalidDataset

OnUnreadable = Literal["stop", "skip"]
Report = Callable[[Path, str], None]
"""Called with the path of a picture that is left out, and the reason."""

MAX_LISTED = 5  # the largest number of pictures that an error message lists


def unreported(path: Path, reason: str) -> None:
    """A report that does nothing."""


@dataclass(frozen=True, slots=True)
class UnreadablePolicy:
    """The policy for pictures that cannot be read.

    action: `stop` refuses the dataset; `skip` leaves each such picture out and reports it
    report: called for each picture that is left out
    """

    action: OnUnreadable = "stop"
    report: Report = unreported

    def apply(self, reasons: Mapping[Path, str], total: int) -> None:
        """Applies the policy to unreadable pictures out of `total` pictures; `reasons` has the reason by path.

        Raises InvalidDataset if the action is `stop`, or if none of the `total` pictures can be read.
        """
        if reasons and (self.action == "stop" or len(reasons) == total):
            few = "; ".join(f"{path}: {reason}" for path, reason in list(reasons.items())[:MAX_LISTED])
            more = f"; and {len(reasons) - MAX_LISTED} more" if len(reasons) > MAX_LISTED else ""
            raise InvalidDataset(
                f"{len(reasons)} of {total} pictures cannot be read: {few}{more}. "
                "Repair or remove them, or leave them out with --data.on_unreadable skip"
                if len(reasons) < total
                else f"none of {total} pictures can be read: {few}{more}"
            )
        for path, reason in reasons.items():
            self.report(path, reason)
