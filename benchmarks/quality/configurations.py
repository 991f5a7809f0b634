"""The detectors that are compared, by name, each with the backbone whose features it reads."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from app.detectors import Fusion, OnePassDetector, Patchcore, Subspace
from app.scoring import ScoreRule

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
}


@dataclass(frozen=True, slots=True)
class Configuration:
    """A detector on a backbone."""

    backbone: str  # a key of BACKBONES
    detector: str  # a key of DETECTORS

    @property
    def name(self) -> str:
        return f"{self.detector}, {self.backbone}"

    def make(self, weights: Path) -> OnePassDetector:
        """The unfitted detector. `weights` is the file of the backbone `ImageNet`."""
        options = dict(BACKBONES[self.backbone])
        if self.backbone == "ImageNet":
            options["backbone_weights"] = str(weights)
        detector = DETECTORS[self.detector](**options)
        detector.load_weights()
        return detector


CONFIGURATIONS = [Configuration(backbone, detector) for backbone in BACKBONES for detector in DETECTORS]
