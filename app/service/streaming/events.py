"""The events of a stream that are sent to its client. Rows have the client's numbers, which begin at its first row."""

from dataclasses import dataclass

from app.pipeline import DefectRegion


@dataclass(frozen=True, slots=True)
class FoundRegion:
    """A region that no later row changes.

    sequence: its number among the regions of the stream, from 1 on
    continues: whether it was cut, because it is too long: what touches it in the row below is another region
    """

    sequence: int
    region: DefectRegion
    continues: bool


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the stream is.

    next_row: the first row that has not arrived
    complete_rows: the first row whose part of the map is not known yet
    score: the largest normalised value of the map in the rows that were completed since the last event of this kind;
        None: there are none
    """

    next_row: int
    complete_rows: int
    score: float | None


@dataclass(frozen=True, slots=True)
class Paused:
    """All rows of the request were taken, and what they allow was computed; another request continues."""

    next_row: int
    complete_rows: int


@dataclass(frozen=True, slots=True)
class Ended:
    """The stream has ended. `next_row` is the number after that of its last row."""

    next_row: int
    regions: int


StreamEvent = FoundRegion | Progress | Paused | Ended
