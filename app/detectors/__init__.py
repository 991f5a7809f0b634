"""Networks with a fitted state that tell how unlike the normal pictures each cell of a picture is."""

from collections.abc import Callable

from app.detectors.base import Detector, Features, Fitter, Measurement, Progress, silent
from app.detectors.padim import Padim
from app.detectors.patchcore import Patchcore

DETECTORS: dict[str, Callable[..., Detector]] = {"padim": Padim, "patchcore": Patchcore}

__all__ = ["DETECTORS", "Detector", "Features", "Fitter", "Measurement", "Padim", "Patchcore", "Progress", "silent"]
