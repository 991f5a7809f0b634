"""Options for running models."""

from dataclasses import dataclass
from typing import Literal

from app.detectors import SearchMode
from app.runtime.network import Precision

PrecisionChoice = Literal["auto"] | Precision


@dataclass(frozen=True, slots=True)
class RunOptions:
    """How to run a model.

    precision: `auto` prefers the fast precision of the hardware, if the golden sample is reproduced; else float32
    search: how memory banks are searched
    batch_tiles: the largest number of tiles in one batch; 0: measured when a model is loaded; None: a default number,
        and nothing is measured, neither kernels nor lanes
    keep_weights: false frees the detector's own weights, which saves memory; the model can then be neither trained nor
        written
    lanes: the largest number of pictures that a CPU processes at the same time; fewer if that is faster
    time_stages: whether the time of each stage of a model is summed up
    """

    precision: PrecisionChoice = Precision.float32
    search: SearchMode = SearchMode.auto
    batch_tiles: int | None = None
    keep_weights: bool = True
    lanes: int = 1
    time_stages: bool = False
