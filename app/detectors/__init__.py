"""Networks with a fitted state that tell how unlike the normal pictures each cell of a picture is."""

from collections.abc import Callable

from app.detectors.base import Detector, Features, Measurement
from app.detectors.gradient import GradientDetector
from app.detectors.one_pass import Fitter, OnePassDetector
from app.detectors.padim import Padim
from app.detectors.patchcore import Patchcore
from app.detectors.reverse_distillation import ReverseDistillation
from app.detectors.search import SearchChoice, SearchMethod, SearchMode
from app.detectors.stfpm import Stfpm

DETECTORS: dict[str, Callable[..., Detector]] = {
    "padim": Padim,
    "patchcore": Patchcore,
    "stfpm": Stfpm,
    "reverse_distillation": ReverseDistillation,
}

__all__ = [
    "DETECTORS",
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
