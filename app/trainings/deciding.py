"""What becomes of a candidate: a person or a rule decides, and the repository records it."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from app.artifacts import ModelRepository, delete, live_version, promote, rollback, verify_artifact
from app.errors import (
    InvalidArtifact,
    InvalidChange,
    InvalidServing,
    ModelNotFound,
    SecondPersonRequired,
    TeachingConflict,
    VersionNotFound,
)
from app.teaching.proof import ProofResult
from app.trainings.teaching import Teaching, TeachingDecision, TeachingState

RULES = "rules (teach_serve)"
"""Who promotes what meets the rules."""

_NEEDED = {
    TeachingDecision.promote: TeachingState.proposed,
    TeachingDecision.refuse: TeachingState.proposed,
    TeachingDecision.rollback: TeachingState.served,
}


def carry_out(
    repository: ModelRepository, teaching: Teaching, decision: TeachingDecision, by: str, second_person: bool
) -> TeachingState:
    """Changes what serves, or deletes the candidate, and returns the new state of the teaching.

    A candidate can be refused whatever other version serves. Raises TeachingConflict if the teaching is in another
    state, if another version serves than a promotion or a rollback expects, or if the repository does not allow the
    change; and SecondPersonRequired.
    """
    needed = _NEEDED[decision]
    if teaching.state is not needed:
        raise TeachingConflict(f"the teaching is {teaching.state}, and {decision} needs one that is {needed}")
    with refusing():
        return _changed(repository, teaching, decision, by, second_person)


@contextmanager
def refusing() -> Iterator[None]:
    """Turns errors of the repository into TeachingConflict, whose messages are for clients."""
    try:
        yield
    except InvalidServing as error:
        raise TeachingConflict(error.plain) from error
    except (InvalidArtifact, InvalidChange, ModelNotFound, VersionNotFound) as error:
        raise TeachingConflict(
            f"the version cannot be chosen ({error.code}); `tessera models verify` says why"
        ) from error
    except OSError as error:
        raise TeachingConflict(
            f"the model repository cannot be read or written ({error.strerror}); make it writable for the server, or "
            "use `tessera models` where it is"
        ) from error


def _changed(
    repository: ModelRepository, teaching: Teaching, decision: TeachingDecision, by: str, second_person: bool
) -> TeachingState:
    version = teaching.version
    assert version is not None  # in the states of _NEEDED
    live = live_version(repository, teaching.model)
    if decision is TeachingDecision.refuse:
        _delete_candidate(repository, teaching.model, version, live)
        return TeachingState.declined
    expected = version if decision is TeachingDecision.rollback else teaching.served
    if live != expected:
        raise TeachingConflict(
            f"version {live} of {teaching.model!r} serves by now, and not version {expected}; choose the version that "
            "is to serve by `tessera models promote`, or teach again"
        )
    if decision is TeachingDecision.promote:
        _require_word(teaching, by, second_person)
        promote(repository, teaching.model, version, verify_artifact, by=by)
        return TeachingState.served
    rollback(repository, teaching.model, verify_artifact, by=by)
    return TeachingState.rolled_back


def _delete_candidate(repository: ModelRepository, model: str, version: int, live: int | None) -> None:
    """Deletes a candidate, whatever other version serves by now. Nothing happens if somebody has deleted it."""
    if live == version:
        raise TeachingConflict(
            f"the candidate, version {version} of {model!r}, serves by now; choose the version that is to serve by "
            "`tessera models rollback` or `tessera models promote`, then refuse the candidate"
        )
    with suppress(ModelNotFound, VersionNotFound):
        delete(repository, model, version)


def _require_word(teaching: Teaching, by: str, second_person: bool) -> None:
    """Raises SecondPersonRequired if the proof names doubtful reviews that no second person has confirmed."""
    proof = teaching.proof
    if proof is None or proof.result is not ProofResult.second_word:
        return
    if by and by in {each.reviewer for each in proof.doubts}:
        raise SecondPersonRequired(
            f"the key {by!r} has made doubtful reviews itself; another person must look at the {proof.doubtful} "
            "pictures that the proof names, and promote"
        )
    if not second_person:
        raise SecondPersonRequired(
            f"the proof names {proof.doubtful} pictures that a second person must look at; promote with second_person: "
            "true"
        )
