"""What kept pictures may take, and what they take."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Bounds:
    """What pictures may take.

    bytes: of all pictures; beyond it the oldest without a review are removed
    age_s: how long pictures without a review are kept
    reviewed_age_s: how long reviewed pictures are kept after their review; 0: without a limit
    free_bytes: what stays free on the disk
    """

    bytes: int
    age_s: float
    reviewed_age_s: float
    free_bytes: int


@dataclass(frozen=True, slots=True)
class Usage:
    """What is in the store: pictures without and with a review, and the bytes of all."""

    unreviewed: int
    reviewed: int
    bytes: int
