"""A training that a client has requested."""

from dataclasses import dataclass
from enum import StrEnum


class TrainingState(StrEnum):
    """The state of a training."""

    running = "running"
    done = "done"
    failed = "failed"
    cancelled = "cancelled"


ENDED = frozenset({TrainingState.done, TrainingState.failed, TrainingState.cancelled})


@dataclass(frozen=True, slots=True)
class Training:
    """A training.

    model: the name of the model that it makes
    pictures: the number of pictures
    created_s, changed_s: when it was made, and when its state changed last, in seconds since 1970
    stage, done, total: the stage of the work, and its units that are done and in all; total 0: not known yet
    version: that of the model, once it is written
    caution: a sentence about the false alarms that cannot be excluded; empty until the model is written
    notes: sentences about the pictures that a person should read
    unlike: the names of the pictures that look least like the rest
    code, message: why it failed
    """

    id: str
    model: str
    pictures: int
    created_s: float
    changed_s: float
    state: TrainingState = TrainingState.running
    stage: str = ""
    done: int = 0
    total: int = 0
    version: int | None = None
    caution: str = ""
    notes: tuple[str, ...] = ()
    unlike: tuple[str, ...] = ()
    code: str = ""
    message: str = ""
