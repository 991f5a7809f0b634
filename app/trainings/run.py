"""What trainings and teachings have in common: both are runs, of a process that makes one version of a model."""

from dataclasses import dataclass
from enum import StrEnum

RUNNING, FAILED, CANCELLED = "running", "failed", "cancelled"
"""The states that runs of every kind have."""


@dataclass(frozen=True, slots=True)
class Run:
    """A run that a client has requested.

    model: the name of the model of which it makes a version
    created_s, changed_s: when it was requested, and when its state changed last, in seconds since 1970
    state: one of an enumeration, which has RUNNING, FAILED and CANCELLED
    stage, done, total: the stage of the work, and its units that are done and in all; total 0: not known yet
    version: the version, once it is written
    notes: sentences that a person should read
    code, message: why it failed
    """

    id: str
    model: str
    created_s: float
    changed_s: float
    state: StrEnum
    stage: str = ""
    done: int = 0
    total: int = 0
    version: int | None = None
    notes: tuple[str, ...] = ()
    code: str = ""
    message: str = ""

    @property
    def ended(self) -> bool:
        """Whether its process has ended."""
        return self.state != RUNNING
