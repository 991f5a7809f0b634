"""How a model is run on its device."""

from dataclasses import dataclass

from app.runtime import Candidate, Network
from app.trials import Trial


@dataclass(frozen=True, slots=True)
class Execution:
    """How a model's network is executed, and how many tiles and pictures are processed at the same time.

    network: executes the detector's network
    batch_tiles: the largest number of tiles in one batch, 1 or more
    lanes: the largest number of a CPU's lanes that work on pictures of this model at the same time; None: no limit
    fallback: why the detector's own modules run, which is slower; None: they do not run, or no other way was tried
    trials: the candidates that were compared, with their seconds per tile, the fastest first
    """

    network: Network
    batch_tiles: int
    lanes: int | None = None
    fallback: str | None = None
    trials: tuple[Trial[Candidate], ...] = ()
