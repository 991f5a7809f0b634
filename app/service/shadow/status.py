"""The state of a comparison."""

from dataclasses import dataclass
from enum import StrEnum

from app.artifacts import Counts, Trial


class ShadowState(StrEnum):
    """running: pictures are compared; paused: the candidate is not loaded, or another version serves now; decided: the
    comparison has its result; stopped: an operator stopped it.
    """

    running = "running"
    paused = "paused"
    decided = "decided"
    stopped = "stopped"


@dataclass(frozen=True, slots=True)
class ShadowStatus:
    """A comparison, what all servers of the repository have found in it, and why it is paused (None: it is not)."""

    model: str
    trial: Trial
    counts: Counts
    state: ShadowState
    reason: str | None = None
