"""What a part of the torture found."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Found:
    """The result of a part.

    figures: what was measured, as it is written to JSON
    summary: the figures that the table shows, in words
    faults: what was wrong; empty: the part passed
    """

    figures: dict[str, object]
    summary: str
    faults: list[str]
