"""Detectors: networks with a fitted state that measure the distance of each cell of a picture to the normal state."""

from app.detectors.base import Detector, Features, Measurement
from app.detectors.fusion import Fusion
from app.detectors.gradient import GradientDetector
from app.detectors.one_pass import Fitter, Forecast, OnePassDetector, PatchSources
from app.detectors.padim import Padim
from app.detectors.patch_embedding import PatchDetector
from app.detectors.patchcore import Patchcore
from app.detectors.reverse_distillation import ReverseDistillation
from app.detectors.search import Codes, SearchChoice, SearchMethod, SearchMode
from app.detectors.second_stage import SecondStage
from app.detectors.stfpm import Stfpm
from app.detectors.subspace import Subspace
from app.detectors.thumbnail import WithThumbnail, with_thumbnail
from app.detectors.thumbnail_fitter import ThumbnailFitter
from app.detectors.thumbnail_update import ThumbnailUpdate
from app.detectors.update import Update
from app.detectors.with_backbone import BackboneDetector

DETECTORS: dict[str, type[Detector]] = {
    kind.name: kind for kind in (Padim, Patchcore, Stfpm, ReverseDistillation, Subspace, Fusion)
}
"""All detectors by their names in manifests."""

__all__ = [
    "DETECTORS",
    "BackboneDetector",
    "Codes",
    "Detector",
    "Features",
    "Fitter",
    "Forecast",
    "Fusion",
    "GradientDetector",
    "Measurement",
    "OnePassDetector",
    "Padim",
    "PatchDetector",
    "PatchSources",
    "Patchcore",
    "ReverseDistillation",
    "SearchChoice",
    "SearchMethod",
    "SearchMode",
    "SecondStage",
    "Stfpm",
    "Subspace",
    "ThumbnailFitter",
    "ThumbnailUpdate",
    "Update",
    "WithThumbnail",
    "with_thumbnail",
]
