"""`shadow.json` beside the versions of a model: which version runs beside the served one, on which share of pictures.

Operators write the file, and servers read it. Servers add what they find to `.shadow.json`, so that a restart loses
nothing, and all servers of a repository decide together. Each change is made under the lock of the model's directory.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from enum import StrEnum
from math import log
from pathlib import Path
from typing import Literal, NamedTuple

from pydantic import Field

from app.artifacts.record import Record, read_record, write_record
from app.artifacts.repository import ModelRepository
from app.errors import ShadowRefused
from app.files import locked, naming
from app.pipeline import Label
from app.scoring import log_evidence

SHADOW, COUNTS = "shadow.json", ".shadow.json"
KEPT_CHANGES = 100
"""The length of the history. The oldest changes are dropped."""
KEPT_DIFFERENCES = 50
"""How many of the latest pictures with different verdicts are kept."""
ERROR_RATE = 0.05
"""The largest probability that a difference is reported although there is none, however often one looks."""
PICTURES = 10_000
"""The default number of compared pictures after which a comparison ends without a difference."""
MOST_PICTURES = 10**8


class Decision(StrEnum):
    """open: nothing is decided; more_alarms, fewer_alarms: the candidate is proved to have more or fewer alarms than
    the served version; no_difference: the stated number of pictures was compared without such a proof. New values may
    be added.
    """

    open = "open"
    more_alarms = "more_alarms"
    fewer_alarms = "fewer_alarms"
    no_difference = "no_difference"


class Contender(NamedTuple):
    """A version of the comparison: its number, and the SHA-256 of its manifest."""

    version: int
    digest: str


class Trial(Record):
    """A comparison of a candidate with the version that served when the comparison began.

    version, digest: the candidate, and the SHA-256 of its manifest
    served, served_digest: the version that served, and the SHA-256 of its manifest
    share: the share of the requests whose pictures the candidate predicts, too
    pictures: the number of compared pictures after which the comparison ends without a difference
    started: the time, UTC, ISO 8601, which identifies the comparison
    by: the name of the user, or of the API key
    stopped: when an operator stopped it; None: nobody did
    """

    version: int = Field(ge=1)
    digest: str = Field(max_length=64)
    served: int = Field(ge=1)
    served_digest: str = Field(max_length=64)
    share: float = Field(gt=0, le=1)
    pictures: int = Field(ge=1, le=MOST_PICTURES)
    started: str = Field(max_length=40)
    by: str = Field(max_length=100)
    stopped: str | None = Field(default=None, max_length=40)


class ShadowChange(Record):
    """A comparison was started or stopped."""

    at: str = Field(max_length=40)
    by: str = Field(max_length=100)
    action: Literal["start", "stop"]
    version: int
    served: int


class Shadow(Record):
    """The content of `shadow.json`; `trial` is the latest comparison."""

    schema_version: Literal[1] = 1
    trial: Trial | None = None
    history: tuple[ShadowChange, ...] = Field(default=(), max_length=KEPT_CHANGES)

    def changed(self, trial: Trial, action: Literal["start", "stop"], at: str, by: str) -> "Shadow":
        """The record after a change."""
        change = ShadowChange(at=at, by=by, action=action, version=trial.version, served=trial.served)
        return Shadow(trial=trial, history=(*self.history[1 - KEPT_CHANGES :], change))


class Difference(Record):
    """A picture on which the verdicts differ, with the normalised scores in [0, 1]; `at` is the time, UTC, ISO 8601."""

    at: str = Field(max_length=40)
    request_id: str = Field(max_length=128)
    served_score: float
    candidate_score: float
    served_label: Label
    candidate_label: Label


class Tally(Record):
    """What servers have found.

    compared: the pictures that both versions judged
    candidate_only, served_only: those of them that only the candidate, or only the served version, calls anomalous
    dropped: the pictures of the share that the candidate did not judge, because there was no room, or because it failed
    latest: the latest pictures with different verdicts, the oldest first
    """

    compared: int = Field(default=0, ge=0)
    candidate_only: int = Field(default=0, ge=0)
    served_only: int = Field(default=0, ge=0)
    dropped: int = Field(default=0, ge=0)
    latest: tuple[Difference, ...] = Field(default=(), max_length=KEPT_DIFFERENCES)

    def plus(self, other: "Tally") -> "Tally":
        """Both together."""
        latest = sorted((*self.latest, *other.latest), key=lambda each: each.at)
        return Tally(
            compared=self.compared + other.compared,
            candidate_only=self.candidate_only + other.candidate_only,
            served_only=self.served_only + other.served_only,
            dropped=self.dropped + other.dropped,
            latest=tuple(latest[-KEPT_DIFFERENCES:]),
        )


class Counts(Record):
    """The content of `.shadow.json`: what all servers of the repository have found together.

    started: identifies the comparison
    most_evidence: the highest `log_evidence` until now
    decision: whether the candidate has more or fewer alarms than the served version, or no difference was found among
        the stated number of pictures; nothing is added after a decision
    decided: when it was decided
    """

    schema_version: Literal[1] = 1
    started: str = Field(max_length=40)
    tally: Tally = Tally()
    most_evidence: float = 0.0
    decision: Decision = Decision.open
    decided: str | None = Field(default=None, max_length=40)

    def plus(self, found: Tally, pictures: int) -> "Counts":
        """The counts with what a server has found, and the decision; `pictures`: see Trial."""
        if self.decision is not Decision.open:
            return self
        tally = self.tally.plus(found)
        evidence = max(self.most_evidence, log_evidence(tally.candidate_only, tally.served_only))
        decision = Decision.open
        if evidence >= -log(ERROR_RATE):
            more = tally.candidate_only > tally.served_only
            decision = Decision.more_alarms if more else Decision.fewer_alarms
        elif tally.compared >= pictures:
            decision = Decision.no_difference
        decided = None if decision is Decision.open else now()
        return Counts(started=self.started, tally=tally, most_evidence=evidence, decision=decision, decided=decided)


def read_shadow(repository: ModelRepository, name: str) -> Shadow:
    """The record of a model, or an empty one if there is no file; raises InvalidServing."""
    meaning, remedy = "which version runs as a shadow", "restore it, or remove it and start the shadow again"
    return read_record(Shadow, repository.root / name / SHADOW, meaning, remedy) or Shadow()


def read_counts(repository: ModelRepository, name: str, trial: Trial) -> Counts:
    """What was found in a comparison; raises InvalidServing."""
    meaning, remedy = "what a shadow has found", "restore it, or remove it, and the counts begin again"
    found = read_record(Counts, repository.root / name / COUNTS, meaning, remedy)
    return found if found is not None and found.started == trial.started else Counts(started=trial.started)


def start_shadow(
    repository: ModelRepository,
    name: str,
    candidate: Contender,
    served: Contender,
    by: str,
    *,
    share: float,
    pictures: int = PICTURES,
) -> Trial:
    """Records that servers compare a candidate with the served version.

    Raises ShadowRefused if the candidate serves, or if another comparison has not ended; VersionNotFound,
    InvalidServing; and OSError if the repository cannot be written.
    """
    repository.require_writable()
    repository.find(name, candidate.version)
    if candidate.version == served.version:
        raise ShadowRefused(
            f"version {candidate.version} of model {name!r} serves already; name a version that does not serve"
        )
    with _locked(repository, name) as record:
        before, at = record.trial, now()
        if before is not None and before.stopped is None:
            if read_counts(repository, name, before).decision is Decision.open:
                raise ShadowRefused(
                    f"version {before.version} of model {name!r} runs as a shadow already, and nothing is decided; "
                    "stop it before another one is started"
                )
            if at == before.started:  # within a millisecond, which identifies a comparison
                raise ShadowRefused("another shadow was started at this moment; try again")
        trial = Trial(
            version=candidate.version,
            digest=candidate.digest,
            served=served.version,
            served_digest=served.digest,
            share=share,
            pictures=pictures,
            started=at,
            by=by[:100],
        )
        write_record(repository.root / name / SHADOW, record.changed(trial, "start", at, trial.by))
    return trial


def stop_shadow(repository: ModelRepository, name: str, by: str) -> Trial:
    """Records that a comparison ends. Its counts stay. Raises ShadowRefused if none runs, and OSError."""
    repository.require_writable()
    repository.newest(name)
    with _locked(repository, name) as record:
        if record.trial is None or record.trial.stopped is not None:
            raise ShadowRefused(f"no shadow of model {name!r} runs, so that there is none to stop")
        at = now()
        trial = record.trial.model_copy(update={"stopped": at})
        write_record(repository.root / name / SHADOW, record.changed(trial, "stop", at, by[:100]))
    return trial


def add_counts(repository: ModelRepository, name: str, trial: Trial, found: Tally) -> Counts:
    """Adds what a server has found; returns the counts of all servers.

    What belongs to a comparison that was replaced meanwhile is dropped. Raises InvalidServing, and OSError.
    """
    with _locked(repository, name) as record:
        before = read_counts(repository, name, trial)
        if record.trial is None or record.trial.started != trial.started:
            return before
        after = before.plus(found, trial.pictures)
        if after is not before:
            write_record(repository.root / name / COUNTS, after)
    return after


def now() -> str:
    """The time, UTC, ISO 8601."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


@contextmanager
def _locked(repository: ModelRepository, name: str) -> Iterator[Shadow]:
    """Yields the record of a model, whose directory is locked."""
    model: Path = repository.root / name
    with naming(model), locked(model, wait=True):
        yield read_shadow(repository, name)
