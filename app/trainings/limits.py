"""What a training may take."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TrainingLimits:
    """The limits of a training's process.

    seconds: its duration
    memory_bytes: its memory without the files that it maps (RLIMIT_DATA)
    processors: the number of its threads that compute; they have the lowest priority
    """

    seconds: float
    memory_bytes: int
    processors: int
