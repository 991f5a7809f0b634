"""What an evaluation finds."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from app.scoring import Confusion, Ranking
from app.tiling import Size


@dataclass(frozen=True, slots=True)
class PictureResult:
    """What the model says of a labelled picture.

    `score` is the normalised score and `exceeds` whether the picture is taken for anomalous; both are None without a
    calibration. `peak` is the largest value of the map, not normalised. `mask_size` is that of the mask's file, None
    without one; a mask of another size than the picture was resized.
    """

    path: Path
    kind: str
    anomalous: bool
    size: Size
    mask_size: Size | None
    raw_score: float
    peak: float
    score: float | None
    exceeds: bool | None


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A picture that was left out, and why."""

    path: Path
    reason: str


@dataclass(frozen=True, slots=True)
class Level:
    """Metrics of pictures, or of pixels: how many there are, their ranking, and what the model's threshold makes of it.

    `ranking` is None unless both labels are there, `at_threshold` without a calibration.
    """

    normal: int
    anomalous: int
    ranking: Ranking | None
    at_threshold: Confusion | None


@dataclass(frozen=True, slots=True)
class KindResult:
    """Metrics of one kind of defect against all good pictures; None where one of the two, or masks, are missing."""

    kind: str
    pictures: int
    detected: int | None
    image_auroc: float | None
    pixel_auroc: float | None
    aupro: Mapping[float, float]

    @property
    def detection_rate(self) -> float | None:
        """The share of the kind's pictures that are taken for anomalous."""
        return None if self.detected is None else self.detected / self.pictures


@dataclass(frozen=True, slots=True)
class Evaluation:
    """How a model does on labelled pictures. `pixel` is None without masks; `notes` say what is missing, and why."""

    pictures: tuple[PictureResult, ...]
    unreadable: tuple[Unreadable, ...]
    image: Level
    pixel: Level | None
    regions: int
    kinds: tuple[KindResult, ...]
    notes: tuple[str, ...]
