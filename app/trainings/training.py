"""A training that a client has requested."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from app.trainings.run import Run


class TrainingState(StrEnum):
    """The state of a training."""

    running = "running"
    done = "done"
    failed = "failed"
    cancelled = "cancelled"


@dataclass(frozen=True, slots=True)
class Training(Run):
    """A training; see Run.

    pictures: the number of pictures
    caution: a sentence about the false alarms that cannot be excluded; empty until the model is written
    unlike: the names of the pictures that look least like the rest
    """

    state: TrainingState = TrainingState.running
    pictures: int = 0
    caution: str = ""
    unlike: tuple[str, ...] = ()


def training_of(values: dict[str, Any]) -> Training:
    """The training of a record; raises ValueError, KeyError or TypeError."""
    notes, unlike = (tuple(map(str, values[name])) for name in ("notes", "unlike"))
    return Training(**values | {"notes": notes, "unlike": unlike, "state": TrainingState(values["state"])})
