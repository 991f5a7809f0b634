"""How models are to be run."""

from dataclasses import dataclass
from typing import Literal

from app.detectors import SearchMode

PrecisionChoice = Literal["auto", "float32", "bfloat16", "float16"]


@dataclass(frozen=True, slots=True)
class RunOptions:
    """What is asked for; `auto` leaves a choice to what was measured.

    `precision` auto is the fast one of the hardware, where the golden sample agrees, else float32. `batch_tiles` 0 is
    measured when a model is loaded, and so are the kernels; None is a usual number, and nothing is measured. Without
    `keep_weights` the networks are there only as they are run: such a model takes less memory, and can be neither
    trained nor written. `lanes` is how many pictures a CPU can work on side by side; fewer are chosen where that is
    faster. `time_stages` adds up the time of each stage of a model's work.
    """

    precision: PrecisionChoice = "float32"
    search: SearchMode = "auto"
    batch_tiles: int | None = None
    keep_weights: bool = True
    lanes: int = 1
    time_stages: bool = False
