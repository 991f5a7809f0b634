"""What becomes of a candidate while others change the repository, too."""

import shutil
from pathlib import Path

import pytest

from app.artifacts import ModelRepository, copy, delete, live_version, promote
from app.errors import TeachingConflict
from app.trainings import Teaching, TeachingDecision, TeachingState
from app.trainings.deciding import carry_out

NAME = "lid"
PROPOSED = Teaching("0" * 16, NAME, 0.0, 0.0, version=2, state=TeachingState.proposed, served=1)


@pytest.fixture
def repository(teachable_dir: Path, tmp_path: Path) -> ModelRepository:
    """Version 1 serves, and version 2 is a candidate."""
    shutil.copytree(teachable_dir, tmp_path / "models")
    repository = ModelRepository(tmp_path / "models")
    promote(repository, NAME, None, lambda _: None, "pin")
    copy(repository, NAME, 1)
    return repository


def decide(repository: ModelRepository, decision: TeachingDecision) -> TeachingState:
    return carry_out(repository, PROPOSED, decision, "lena", second_person=True)


def test_a_candidate_is_refused_also_after_another_version_was_made_to_serve(repository: ModelRepository) -> None:
    copy(repository, NAME, 1)
    promote(repository, NAME, 3, lambda _: None)
    with pytest.raises(TeachingConflict, match="version 3 of 'lid' serves by now, and not version 1"):
        decide(repository, TeachingDecision.promote)
    assert decide(repository, TeachingDecision.refuse) is TeachingState.declined
    assert [each.version for each in repository.versions(NAME)] == [1, 3] and live_version(repository, NAME) == 3


def test_a_candidate_that_somebody_has_deleted_is_refused(repository: ModelRepository) -> None:
    delete(repository, NAME, 2)
    assert decide(repository, TeachingDecision.refuse) is TeachingState.declined


def test_a_candidate_that_serves_is_not_deleted(repository: ModelRepository) -> None:
    promote(repository, NAME, 2, lambda _: None)
    with pytest.raises(TeachingConflict, match=r"version 2 of 'lid', serves by now; .* then refuse the candidate"):
        decide(repository, TeachingDecision.refuse)
    assert live_version(repository, NAME) == 2
