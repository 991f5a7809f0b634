import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from app.artifacts import (
    Entry,
    ModelRepository,
    adopt,
    copy,
    delete,
    load_artifact,
    pin_found,
    promote,
    read_manifest,
    rollback,
    unpin,
    verify_artifact,
)
from app.artifacts.record import user
from app.artifacts.serving import KEPT_CHANGES, SERVING, Serving, served_before, write_serving
from app.artifacts.versions import KEPT_EVENTS, VERSIONS, add_event, read_versions
from app.errors import DigestMismatch, InvalidChange, InvalidServing, ModelExists, VersionNotFound
from tests.repositories import flip_a_bit

NAME = "patchcore"


@pytest.fixture
def repository(models_dir: Path, tmp_path: Path) -> ModelRepository:
    """Versions 1 and 2 of one model; no file says which one serves."""
    shutil.copytree(models_dir / NAME, tmp_path / NAME, ignore=shutil.ignore_patterns(SERVING))
    return ModelRepository(tmp_path)


def live(repository: ModelRepository) -> int:
    return repository.find(NAME).version


def test_the_promoted_version_serves_until_another_one_is_promoted(repository: ModelRepository) -> None:
    assert live(repository) == 2
    assert promote(repository, NAME, 1, verify_artifact)[0] == 2
    assert live(repository) == 1
    assert copy(repository, NAME, 2).version == 3
    assert live(repository) == 1
    assert promote(repository, NAME, None, verify_artifact)[1].version == 3
    assert unpin(repository, NAME) == 3
    changes = [(change.action, change.before, change.after) for change in repository.serving(NAME).history]
    assert changes == [("promote", 2, 1), ("promote", 1, 3), ("unpin", 3, None)]


def test_pin_keeps_what_serves(repository: ModelRepository) -> None:
    promote(repository, NAME, None, verify_artifact, "pin")
    copy(repository, NAME, 1)
    assert live(repository) == 2
    pin_found(repository, NAME, 3)  # a server finds that one is pinned by now
    assert live(repository) == 2


def test_each_rollback_goes_back_by_one(repository: ModelRepository) -> None:
    copy(repository, NAME, 1)
    for version in (2, 1, 3):
        promote(repository, NAME, version, verify_artifact)
    assert [rollback(repository, NAME, verify_artifact)[1].version for _ in range(2)] == [1, 2]
    promote(repository, NAME, 1, verify_artifact)
    assert rollback(repository, NAME, verify_artifact)[1].version == 2


def test_a_rollback_without_history_takes_the_next_older_version(repository: ModelRepository) -> None:
    assert rollback(repository, NAME, verify_artifact)[1].version == 1
    with pytest.raises(InvalidChange, match=r"before version 1\b.*1, 2"):
        rollback(repository, NAME, verify_artifact)


def test_a_rollback_passes_over_deleted_versions() -> None:
    history = Serving().changed("promote", 1, 2, "x").changed("promote", 2, 3, "x").history
    assert served_before(history, 3, [1, 3]) == 1


@pytest.mark.parametrize("change", [promote, lambda found, name, _, verify: rollback(found, name, verify)])
def test_a_version_that_cannot_be_loaded_does_not_serve(
    repository: ModelRepository, change: Callable[..., object]
) -> None:
    promote(repository, NAME, 2, verify_artifact)
    flip_a_bit(repository.root / NAME / "1")
    with pytest.raises(DigestMismatch):
        change(repository, NAME, 1, load_artifact)
    assert live(repository) == 2
    with pytest.raises(VersionNotFound, match=r"\b9\b"):
        promote(repository, NAME, 9, verify_artifact)


def test_numbers_are_not_used_twice_after_deletions(repository: ModelRepository) -> None:
    assert copy(repository, NAME, 1).version == 3
    shutil.rmtree(repository.root / NAME / "3")  # by hand
    assert copy(repository, NAME, 1).version == 4
    promote(repository, NAME, 1, verify_artifact)
    delete(repository, NAME, 4)
    assert [entry.version for entry in repository.versions(NAME)] == [1, 2]
    assert copy(repository, NAME, 1).version == 5
    with pytest.raises(InvalidChange, match="serves"):
        delete(repository, NAME, 1)


@pytest.mark.parametrize("lost", [SERVING, VERSIONS])
@pytest.mark.parametrize("by_hand", [False, True])
def test_numbers_are_not_used_twice_after_a_record_is_lost(
    repository: ModelRepository, lost: str, by_hand: bool
) -> None:
    model = repository.root / NAME
    assert [copy(repository, NAME, 1).version for _ in range(2)] == [3, 4]
    promote(repository, NAME, 1, verify_artifact)
    for version in (4, 3):
        shutil.rmtree(model / str(version)) if by_hand else delete(repository, NAME, version)
    (model / lost).unlink()
    assert copy(repository, NAME, 1).version == 5
    # The other record can be lost now: the copy has written the number to both again.
    (model / (VERSIONS if lost == SERVING else SERVING)).unlink()
    assert copy(repository, NAME, 1).version == 6


def test_a_repository_of_an_earlier_program_gets_the_second_record(repository: ModelRepository) -> None:
    model = repository.root / NAME
    (model / VERSIONS).unlink()
    write_serving(model, Serving(highest=9))
    promote(repository, NAME, 2, verify_artifact)
    delete(repository, NAME, 1)
    (model / SERVING).unlink()
    assert copy(repository, NAME, 2).version == 10


def test_the_history_names_what_was_written_copied_and_deleted(repository: ModelRepository) -> None:
    copy(repository, NAME, 1)
    copy(repository, NAME, 3, "other")
    promote(repository, NAME, 1, verify_artifact)
    delete(repository, NAME, 3)
    events = [(each.action, each.version, each.source) for each in repository.history(NAME)]
    assert events == [("write", 1, ""), ("write", 2, ""), ("copy", 3, "patchcore:1"), ("delete", 3, "")]
    (event,) = repository.history("other")
    assert (event.action, event.version, event.source, event.by) == ("copy", 1, "patchcore:3", user())
    assert datetime.fromisoformat(event.at).utcoffset() == timedelta(0)
    assert [change.action for change in repository.serving(NAME).history] == ["promote"]


def test_a_refused_deletion_is_not_in_the_history(repository: ModelRepository) -> None:
    with pytest.raises(InvalidChange):
        delete(repository, NAME, 2)
    assert [each.action for each in repository.history(NAME)] == ["write", "write"]


def test_writers_at_once_use_numbers_and_changes_of_their_own(repository: ModelRepository) -> None:
    def write(number: int) -> int:
        promote(repository, NAME, 1 + number % 2, lambda _: None)
        return copy(repository, NAME, 1).version

    with ThreadPoolExecutor(4) as pool:
        written = list(pool.map(write, range(8)))
    assert sorted(written) == list(range(3, 11))
    record = repository.serving(NAME)
    assert record.highest == 10
    assert sorted(event.version for event in repository.history(NAME)) == list(range(1, 11))
    afters = [change.after for change in record.history]
    assert afters[-1] == record.pinned
    assert [change.before for change in record.history][1:] == afters[:-1]


def test_a_copy_answers_like_its_source(repository: ModelRepository) -> None:
    made = copy(repository, NAME, 1)
    manifest = read_manifest(made.path)
    assert (manifest.version, manifest.provenance.copied_from) == (3, "patchcore:1")
    assert manifest.files == read_manifest(repository.find(NAME, 1).path).files
    load_artifact(made)
    assert copy(repository, NAME, 1, "other") == Entry("other", 1, repository.root / "other" / "1")


@pytest.mark.parametrize("content", ["{", '{"highest": -1}', '{"unknown": 1}', "x" * 200_000])
def test_a_damaged_record_of_versions_stops_writers_and_no_server(repository: ModelRepository, content: str) -> None:
    path = repository.root / NAME / VERSIONS
    path.write_text(content)
    assert promote(repository, NAME, 1, verify_artifact).changed
    for attempt in (lambda: copy(repository, NAME, 1), lambda: delete(repository, NAME, 2)):
        with pytest.raises(InvalidServing, match=rf"{VERSIONS}.*remove it: serving\.json has the highest number"):
            attempt()
    assert path.read_text() == content and (repository.root / NAME / "2").is_dir()
    path.unlink()
    assert copy(repository, NAME, 1).version == 3


@pytest.mark.parametrize("content", ["{", '{"pinned": 0}', '{"unknown": 1}', "x" * 200_000])
def test_a_damaged_record_is_refused_and_kept(repository: ModelRepository, content: str) -> None:
    path = repository.root / NAME / SERVING
    path.write_text(content)
    for attempt in (
        lambda: repository.find(NAME),
        lambda: promote(repository, NAME, 1, verify_artifact),
        lambda: copy(repository, NAME, 1),
    ):
        with pytest.raises(InvalidServing, match=SERVING):
            attempt()
    assert repository.find(NAME, 1).version == 1
    assert path.read_text() == content


def test_the_history_is_bounded() -> None:
    record = Serving()
    for number in range(1, 2 * KEPT_CHANGES):
        record = record.changed("promote", number, number + 1, "x")
    assert Serving.model_validate_json(record.model_dump_json()) == record
    assert record.history[-1].after == 2 * KEPT_CHANGES


def test_the_history_of_versions_is_bounded_and_can_be_read_at_its_longest(tmp_path: Path) -> None:
    for number in range(1, 2 * KEPT_EVENTS):
        add_event(tmp_path, "copy", number, "x" * 300, number)
    found = read_versions(tmp_path)
    assert (len(found.history), found.highest) == (KEPT_EVENTS, 2 * KEPT_EVENTS - 1)
    assert found.history[-1].version == found.highest


def test_a_version_of_another_repository_becomes_the_first_of_its_model(
    repository: ModelRepository, tmp_path: Path
) -> None:
    own = ModelRepository(tmp_path / "own")
    entry = adopt(repository.find(NAME, 2), own)
    assert (entry.name, entry.version) == (NAME, 1)
    assert load_artifact(entry).model.calibration == load_artifact(repository.find(NAME, 2)).model.calibration
    shutil.rmtree(repository.root / NAME)
    verify_artifact(entry)  # it shares no file that is removed with the other
    assert own.history(NAME)[-1].action == "write"


def test_a_model_that_exists_gets_no_version_of_another_repository(repository: ModelRepository, tmp_path: Path) -> None:
    own = ModelRepository(tmp_path / "own")
    adopt(repository.find(NAME, 1), own)
    with pytest.raises(ModelExists, match="choose another name"):
        adopt(repository.find(NAME, 2), own)
    assert [entry.version for entry in own.versions(NAME)] == [1]
    assert not list((own.root / NAME).glob(".writing-*"))


def test_a_version_whose_files_were_changed_is_not_adopted(repository: ModelRepository, tmp_path: Path) -> None:
    flip_a_bit(repository.find(NAME, 1).path)
    own = ModelRepository(tmp_path / "own")
    with pytest.raises(DigestMismatch):
        adopt(repository.find(NAME, 1), own)
    assert own.versions(NAME) == []
