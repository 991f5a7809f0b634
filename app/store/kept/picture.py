"""A kept picture: its verdict, and its review."""

from dataclasses import dataclass

from app.reviews import ReviewLabel, Ring

Polygon = tuple[Ring, ...]
"""The outer ring of a polygon, and its holes."""


@dataclass(frozen=True, slots=True)
class KeptRegion:
    """A defect region that a model found, in pixels of the picture.

    area: the number of its pixels
    score: the largest normalised map value, in [0, 1]
    peak: the (row, column) of that value
    outline: its polygons; they touch only at corners of pixels
    """

    top: int
    left: int
    height: int
    width: int
    area: int
    score: float
    peak: tuple[int, int]
    outline: tuple[Polygon, ...]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a model said about a picture.

    digest: the SHA-256 of the version's manifest
    score, threshold: normalised, in [0, 1]
    label: `normal` or `anomalous`
    regions: the most anomalous first, see `region_count`
    region_count: the number of all regions; the store keeps the most anomalous ones
    request_id: that of the request; empty: unknown
    """

    model: str
    version: int
    digest: str
    score: float
    threshold: float
    label: str
    regions: tuple[KeptRegion, ...]
    region_count: int
    request_id: str

    @property
    def uncertainty(self) -> float:
        """The distance of the score to the threshold: the nearest are the least certain."""
        return abs(self.score - self.threshold)


@dataclass(frozen=True, slots=True)
class Review:
    """What a person said about a picture.

    label: what the whole picture is
    regions: the labels of regions that were judged, by their numbers in the verdict
    missed: polygons of defects that the model did not find
    reviewer: the name of the reviewer's API key; empty: the server has no keys
    time_s: seconds since 1970
    """

    label: ReviewLabel
    regions: tuple[tuple[int, ReviewLabel], ...] = ()
    missed: tuple[Polygon, ...] = ()
    reviewer: str = ""
    time_s: float = 0.0


@dataclass(frozen=True, slots=True)
class KeptPicture:
    """A kept picture.

    name: of its file, as the client gave it; may be empty
    digest: the SHA-256 of its file
    format: of its file: `JPEG`, `PNG`, `WebP`, `BMP`, `TIFF` or `AVIF`
    bytes: what its files take on the disk
    size: its (height, width) in pixels
    kept_s: when it was kept, in seconds since 1970
    rule: the rule that kept it
    review: None: nobody has reviewed it
    revision: changes with each change of the review
    """

    id: str
    name: str
    digest: str
    format: str
    bytes: int
    size: tuple[int, int]
    verdict: Verdict
    kept_s: float
    rule: str
    review: Review | None = None
    revision: int = 0

    @property
    def shown_name(self) -> str:
        """A name for reports, unique among all kept pictures."""
        return f"{self.name} ({self.id})" if self.name else self.id
