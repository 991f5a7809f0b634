"""The detectors that are compared, by name, each with the backbone whose features it reads."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from app.detectors import Fusion, OnePassDetector, Patchcore, Subspace, with_thumbnail
from app.scoring import ScoreRule
from app.tiling import Size, Tiling
from app.training import DEFAULT_TILING

CORESET = 0.01
Make = Callable[..., OnePassDetector]

BACKBONES: Mapping[str, Mapping[str, object]] = {
    "shipped": {"backbone": "resnet18"},
    "ImageNet": {"backbone": "resnet18"},  # with --weights
    "Lite0": {"backbone": "efficientnet_lite0"},
    "Lite1": {"backbone": "efficientnet_lite1"},
    "Lite2": {"backbone": "efficientnet_lite2"},
}
DETECTORS: Mapping[str, Make] = {
    "Subspace": lambda **options: Subspace(score=ScoreRule.patch, **options),
    "PatchCore": lambda **options: Patchcore(coreset_sampling_ratio=CORESET, **options),
    "whitened PatchCore": lambda **options: Patchcore(coreset_sampling_ratio=CORESET, whitening=True, **options),
    "Fusion": lambda **options: Fusion(
        options={"patchcore": {"coreset_sampling_ratio": CORESET}}, score=ScoreRule.patch, **options
    ),
    "whitened Fusion": lambda **options: Fusion(
        options={"patchcore": {"coreset_sampling_ratio": CORESET, "whitening": True}}, score=ScoreRule.patch, **options
    ),
}
THUMBNAIL = " + thumbnail"
"""Ends the name of a configuration with a thumbnail."""
WITH_THUMBNAIL = "Subspace", "PatchCore", "whitened PatchCore", "Fusion"
HALF = ", half size"
"""Ends the name of a configuration that makes pictures smaller."""
HALF_SIZE = 640, 256
"""About half the size of KolektorSDD's pictures, and of whole tiles across."""


@dataclass(frozen=True, slots=True)
class Configuration:
    """A detector on a backbone, with or without a thumbnail, for pictures of their own size or of HALF_SIZE."""

    backbone: str  # a key of BACKBONES
    detector: str  # a key of DETECTORS
    thumbnail: bool = False
    half: bool = False

    @property
    def name(self) -> str:
        return f"{self.detector}{THUMBNAIL * self.thumbnail}, {self.backbone}{HALF * self.half}"

    @property
    def image_size(self) -> Size | None:
        """See Preprocessing."""
        return HALF_SIZE if self.half else None

    @property
    def tiling(self) -> Tiling:
        return replace(DEFAULT_TILING, thumbnail=self.thumbnail)

    def make(self, weights: Path) -> OnePassDetector:
        """The unfitted detector. `weights` is the file of the backbone `ImageNet`."""
        options = dict(BACKBONES[self.backbone])
        if self.backbone == "ImageNet":
            options["backbone_weights"] = str(weights)
        detector = DETECTORS[self.detector](**options)
        detector.load_weights()
        return with_thumbnail(detector, self.tiling)


CONFIGURATIONS = [
    Configuration(backbone, detector, thumbnail, half)
    for backbone in BACKBONES
    for half in (False, True)
    for thumbnail, detectors in ((False, DETECTORS), (True, WITH_THUMBNAIL))
    for detector in detectors
]
