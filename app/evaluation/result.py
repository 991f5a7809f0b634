"""The results of an evaluation."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from app.evaluation.mask import MaskFile
from app.evaluation.pixel_grid import PixelGrid
from app.scoring import Confusion, Ranking
from app.tiling import Size


@dataclass(frozen=True, slots=True)
class PictureResult:
    """The prediction for a labelled picture.

    path: the file of the picture
    kind: `good`, or the name of the defect
    anomalous: whether the picture shows a defect
    size: (height, width) of the picture
    mask: what was read from the mask's file; None: there is no file, or the picture is good
    raw_score: the score, not normalised
    peak: the largest value of the map, not normalised
    score: the normalised score; None without a calibration
    exceeds: whether the score exceeds the threshold of the calibration; None without a calibration
    regions: the number of regions over the threshold of pixels; None without a calibration
    largest_region: the area of the largest of them in pixels, 0 if there is none; None without a calibration
    """

    path: Path
    kind: str
    anomalous: bool
    size: Size
    mask: MaskFile | None
    raw_score: float
    peak: float
    score: float | None
    exceeds: bool | None
    regions: int | None = None
    largest_region: int | None = None


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A picture that was left out, and the reason."""

    path: Path
    reason: str


@dataclass(frozen=True, slots=True)
class Level:
    """Metrics of pictures, or of pixels.

    normal, anomalous: the numbers of pictures or pixels with these labels
    ranking: the metrics over all thresholds; None unless both labels occur
    at_threshold: the confusion matrix at the model's threshold; None without a calibration
    """

    normal: int
    anomalous: int
    ranking: Ranking | None
    at_threshold: Confusion | None


@dataclass(frozen=True, slots=True)
class KindResult:
    """Metrics of one kind of defect against all good pictures.

    kind: the name of the defect
    pictures: the number of pictures of the kind
    detected: the number of these pictures that exceed the threshold; None without a calibration
    image_auroc: None without good pictures
    pixel_auroc: None without masks of the kind, or without normal pixels
    aupro: by the limit of the false-positive rate; empty where `pixel_auroc` is None
    """

    kind: str
    pictures: int
    detected: int | None
    image_auroc: float | None
    pixel_auroc: float | None
    aupro: Mapping[float, float]

    @property
    def detection_rate(self) -> float | None:
        """The share of the kind's pictures that exceed the threshold; None without a calibration."""
        return None if self.detected is None else self.detected / self.pictures


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The results of a model on labelled pictures.

    pictures: the predictions
    unreadable: the pictures that were left out
    image: metrics of pictures
    pixel: metrics of pixels; None if no anomalous picture has a mask
    regions: the number of defect regions in all masks
    kinds: metrics of each kind of defect, sorted by kind
    notes: sentences about missing metrics and resized masks
    grid: the pixels of each picture for intervals; None if intervals are not wanted, or without `pixel`
    """

    pictures: tuple[PictureResult, ...]
    unreadable: tuple[Unreadable, ...]
    image: Level
    pixel: Level | None
    regions: int
    kinds: tuple[KindResult, ...]
    notes: tuple[str, ...]
    grid: PixelGrid | None = None
