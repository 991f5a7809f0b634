"""Networks with a fitted state that tell how unlike the normal pictures each cell of a picture is."""

from app.detectors.base import Detector, Features, Measurement
from app.detectors.gradient import GradientDetector
from app.detectors.one_pass import Fitter, OnePassDetector
from app.detectors.padim import Padim
from app.detectors.patchcore import Patchcore
from app.detectors.reverse_distillation import ReverseDistillation
from app.detectors.search import SearchChoice, SearchMethod, SearchMode
from app.detectors.stfpm import Stfpm
from app.detectors.with_backbone import BackboneDetector

DETECTORS: dict[str, type[Detector]] = {kind.name: kind for kind in (Padim, Patchcore, Stfpm, ReverseDistillation)}
"""All detectors, by the names that manifests have."""

__all__ = [
    "DETECTORS",
    "BackboneDetector",
    "Detector",
    "Features",
    "Fitter",
    "GradientDetector",
    "Measurement",
    "OnePassDetector",
    "Padim",
    "Patchcore",
    "ReverseDistillation",
    "SearchChoice",
    "SearchMethod",
    "SearchMode",
    "Stfpm",
]
