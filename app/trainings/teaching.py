"""A teaching that a client has requested."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from app.teaching.proof import Proof, proof_of


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
class Teaching:
    """A teaching.

    created_s, changed_s: when it was made, and when its state changed last, in seconds since 1970
    stage, done, total: the stage of the work, and its units that are done and in all; total 0: not known yet
    served, digest: the version with which the candidate was compared, and the SHA-256 of its manifest
    version: that of the candidate, once it is written
    seconds: how long learning took
    notes: sentences about what was learned, and about the rules that serve a candidate
    values: those of the proof; None: there is none yet
    by: the API key, user or rule that decided
    code, message: why it failed
    """

    id: str
    model: str
    created_s: float
    changed_s: float
    state: TeachingState = TeachingState.running
    stage: str = ""
    done: int = 0
    total: int = 0
    served: int | None = None
    digest: str = ""
    version: int | None = None
    seconds: float = 0.0
    notes: tuple[str, ...] = ()
    values: dict[str, Any] | None = None
    by: str = ""
    code: str = ""
    message: str = ""

    @property
    def proof(self) -> Proof | None:
        return None if self.values is None else proof_of(self.values)


def teaching_of(values: dict[str, Any]) -> Teaching:
    """The teaching of a record; raises ValueError, KeyError or TypeError."""
    found = Teaching(**values | {"notes": tuple(map(str, values["notes"])), "state": TeachingState(values["state"])})
    if found.values is not None:
        proof_of(found.values)
    return found
