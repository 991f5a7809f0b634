"""How much reduced precision changes the scores of normal pictures, so that thresholds can keep that distance.

Servers run networks in float32, bfloat16 or float16. bfloat16 has the fewest digits. It is simulated here by rounding
the output of every module of the network, so that the margin does not depend on the machine that trains.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from torch import Tensor

from app.data import UnreadablePolicy, decoded, spread
from app.detectors import Detector, Features
from app.pipeline import TiledModel, predict
from app.progress import Progress, silent
from app.runtime import Kernels, Precision

PICTURES = 8
FACTOR = 4.0
"""The margin as a multiple of the largest change. With it, margins of three detectors, 0.5 to 2 % of their thresholds,
exceed what kernels for bfloat16, which round weights, too, added to the scores of 30 other pictures: 0.4 to 1 %.
"""


@dataclass(frozen=True, slots=True)
class Margins:
    """By how much reduced precision may raise scores of pictures, and the largest values of their maps."""

    image: float
    pixel: float


class Rounded:
    """Runs the detector's own modules, and rounds the output of each to bfloat16."""

    kernels = Kernels.modules
    precision = Precision.bfloat16

    def __init__(self, detector: Detector) -> None:
        self._detector = detector

    def __call__(self, tiles: Tensor) -> Features:
        with _outputs_rounded(self._detector):
            return tuple(_rounded(output) for output in self._detector.network(tiles))


def precision_margins(
    model: TiledModel,
    pictures: Sequence[Path],
    batch_tiles: int,
    unreadable: UnreadablePolicy,
    progress: Progress = silent,
) -> Margins:
    """The margins by a few of these normal pictures, spread evenly."""
    chosen = spread(pictures, PICTURES)[1] if len(pictures) > PICTURES else list(pictures)
    rounded = model.with_execution(replace(model.execution, network=Rounded(model.detector)))
    image = pixel = 0.0
    for number, picture in enumerate(decoded(chosen, 0, unreadable), start=1):
        exact, other = (predict(each, picture, batch_tiles) for each in (model, rounded))
        image = max(image, abs(other.raw_score - exact.raw_score))
        pixel = max(pixel, abs(float(other.anomaly_map.max() - exact.anomaly_map.max())))
        progress("margins", number, len(chosen))
    return Margins(FACTOR * image, FACTOR * pixel)


@contextmanager
def _outputs_rounded(detector: Detector) -> Iterator[None]:
    """Rounds the outputs of all modules without submodules within the `with` block."""
    leaves = (module for module in detector.modules() if not any(module.children()))
    handles = [module.register_forward_hook(lambda _, __, output: _rounded(output)) for module in leaves]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _rounded(value: Tensor) -> Tensor:
    return value.bfloat16().to(value.dtype)
