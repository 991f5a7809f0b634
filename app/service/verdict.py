"""The result for one picture as logs, metrics, traces and records need it: without pixels, maps and regions."""

from dataclasses import dataclass

from app.pipeline import Label
from app.service.timings import Timings
from app.tiling import Size


@dataclass(frozen=True, slots=True)
class Verdict:
    """The result for one picture.

    digest: the SHA-256 of the version's manifest
    picture_digest: the SHA-256 of the picture's file, or of its numbers; None unless it is recorded
    size: (height, width) of the picture
    tiles: the number of tiles that were computed
    share: the share of the picture, or of its region of interest, that was looked at, in [0, 1]
    score, threshold: normalised, in [0, 1]
    started_s: the time at which the picture was received whole, on the clock `monotonic`
    """

    model: str
    version: int
    digest: str
    picture_digest: str | None
    size: Size
    tiles: int
    score: float
    threshold: float
    label: Label
    timings: Timings
    started_s: float
    share: float = 1.0
