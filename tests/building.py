"""Makes detectors by their names, with and without a backbone."""

from typing import Any

from app.detectors import DETECTORS, BackboneDetector, Detector

WITH_BACKBONE = sorted(name for name, kind in DETECTORS.items() if issubclass(kind, BackboneDetector))


def build_detector(name: str, backbone: str = "resnet18", **options: Any) -> Detector:
    """An unfitted detector; `backbone` has no effect on a detector without one."""
    kind = DETECTORS[name]
    return kind(backbone=backbone, **options) if name in WITH_BACKBONE else kind(**options)
