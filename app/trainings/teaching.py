"""A teaching that a client has requested."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from app.teaching.proof import Proof, proof_of
from app.trainings.run import Run


class TeachingState(StrEnum):
    """The state of a teaching. New values may be added.

    running: the model learns, or the candidate is proved
    proposed: the candidate is a version that does not serve, and waits for a decision
    served: the candidate serves
    rolled_back: it served, and the version before serves again
    declined: a person refused the candidate, whose version was deleted
    refused: the proof refused the candidate; no version was written
    """

    running = "running"
    proposed = "proposed"
    served = "served"
    rolled_back = "rolled_back"
    declined = "declined"
    refused = "refused"
    failed = "failed"
    cancelled = "cancelled"


class TeachingDecision(StrEnum):
    """What is done with a candidate.

    promote: it serves
    refuse: the served version goes on, and the candidate is deleted
    rollback: the version that served before serves again
    """

    promote = "promote"
    refuse = "refuse"
    rollback = "rollback"


@dataclass(frozen=True, slots=True)
class Teaching(Run):
    """A teaching; see Run.

    served, digest: the version with which the candidate was compared, and the SHA-256 of its manifest
    seconds: how long learning took
    values: those of the proof; None: there is none yet
    by: the API key, user or rule that decided
    """

    state: TeachingState = TeachingState.running
    served: int | None = None
    digest: str = ""
    seconds: float = 0.0
    values: dict[str, Any] | None = None
    by: str = ""

    @property
    def proof(self) -> Proof | None:
        return None if self.values is None else proof_of(self.values)


def teaching_of(values: dict[str, Any]) -> Teaching:
    """The teaching of a record; raises ValueError, KeyError or TypeError."""
    found = Teaching(**values | {"notes": tuple(map(str, values["notes"])), "state": TeachingState(values["state"])})
    if found.values is not None:
        proof_of(found.values)
    return found
