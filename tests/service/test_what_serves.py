import json
import shutil
from pathlib import Path

import pytest
import torch

from app.artifacts import ModelRepository, copy, promote, unpin, verify_artifact
from app.artifacts.serving import SERVING
from app.errors import ModelLoading, VersionNotFound
from app.service import ModelCatalogue, ServeNew, Stage
from tests.repositories import flip_a_bit

NAME = "patchcore"


@pytest.fixture
def repository(models_dir: Path, tmp_path: Path) -> ModelRepository:
    shutil.copytree(models_dir / NAME, tmp_path / NAME, ignore=shutil.ignore_patterns(SERVING))
    return ModelRepository(tmp_path)


def started(repository: ModelRepository, serve_new: ServeNew = "newest") -> ModelCatalogue:
    models = ModelCatalogue(repository, [torch.device("cpu")], serve_new=serve_new)
    models.refresh()
    return models


def test_a_new_version_is_a_candidate_where_one_is_pinned(repository: ModelRepository) -> None:
    promote(repository, NAME, 1, verify_artifact)
    models = started(repository)
    assert models.get(NAME).version == 1
    model = models.model(NAME)
    assert [model.stage(version) for version in (1, 2)] == [Stage.live, Stage.candidate]
    assert models.get(NAME, 2).version == 2
    in_flight = models.get(NAME)
    promote(repository, NAME, 2, verify_artifact)
    (changed,) = models.refresh()
    assert (models.get(NAME).version, changed.live, in_flight.version) == (2, 2, 1)
    assert models.model(NAME).stage(1) is Stage.earlier
    unpin(repository, NAME)
    copy(repository, NAME, 1)
    models.refresh()
    assert models.get(NAME).version == 3


def test_what_a_server_finds_first_stays_if_new_versions_shall_not_serve(repository: ModelRepository) -> None:
    models = started(repository, "pinned")
    copy(repository, NAME, 1)
    models.refresh()
    assert models.get(NAME).version == 2
    assert started(repository, "pinned").get(NAME).version == 2  # after a restart
    (change,) = repository.serving(NAME).history
    assert (change.by, change.after) == ("tessera serve", 2)
    unpin(repository, NAME)
    models.refresh()
    assert models.get(NAME).version == repository.serving(NAME).pinned == 3


def test_a_refused_version_is_not_pinned_by_a_server(repository: ModelRepository) -> None:
    flip_a_bit(repository.root / NAME / "2")
    assert started(repository, "pinned").get(NAME).version == 1
    assert repository.serving(NAME).pinned == 1


def test_a_pin_holds_in_memory_where_it_cannot_be_written(
    repository: ModelRepository, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr("app.service.choices.pin_found", refuse)
    models = started(repository, "pinned")
    copy(repository, NAME, 1)
    models.refresh()
    models.refresh()
    assert models.get(NAME).version == 2
    assert sum("Read-only" in line for line in caplog.messages) == 1


def test_the_last_good_choice_holds_while_the_record_is_damaged(
    repository: ModelRepository, caplog: pytest.LogCaptureFixture
) -> None:
    promote(repository, NAME, 1, verify_artifact)
    path = repository.root / NAME / SERVING
    models, content = started(repository), path.read_text()
    path.write_text("{")
    models.refresh()
    models.refresh()
    assert models.get(NAME).version == 1
    assert sum(SERVING in line for line in caplog.messages) == 1
    assert "serves may be outdated: serving.json" in models.notes()[0]
    restarted = started(repository)
    with pytest.raises(VersionNotFound, match=f"is not known: {SERVING}") as caught:
        restarted.get(NAME)
    assert str(repository.root) not in str(caught.value) + restarted.notes()[0]
    assert "serves is not known: serving.json" in restarted.notes()[0]
    assert restarted.get(NAME, 2).version == 2
    path.write_text(content)
    for each in (models, restarted):
        each.refresh()
        assert each.get(NAME).version == 1
        assert not each.notes()


def test_the_version_before_serves_until_the_chosen_one_is_loaded(repository: ModelRepository) -> None:
    promote(repository, NAME, 1, verify_artifact)
    models = started(repository)
    made = copy(repository, NAME, 2)
    flip_a_bit(made.path)  # after the promotion was verified elsewhere
    promote(repository, NAME, 3, lambda _: None)
    models.refresh()
    assert models.get(NAME).version == 1
    assert models.model(NAME).pin.version == 3
    shutil.rmtree(made.path)
    models.refresh()
    assert models.get(NAME).version == 1


def test_no_other_version_serves_in_place_of_a_pinned_one_that_is_gone(repository: ModelRepository) -> None:
    promote(repository, NAME, 2, verify_artifact)
    models = started(repository)
    models.refresh()
    shutil.rmtree(repository.root / NAME / "2")
    models.refresh()
    with pytest.raises(VersionNotFound, match=r"2.*pinned.*promote.*1"):
        models.get(NAME)
    assert json.loads((repository.root / NAME / SERVING).read_text())["pinned"] == 2


def test_a_pinned_version_that_is_being_loaded_is_waited_for(repository: ModelRepository) -> None:
    promote(repository, NAME, 1, verify_artifact)
    models = ModelCatalogue(repository, [torch.device("cpu")])
    models.stop()
    models.refresh()
    with pytest.raises(ModelLoading, match=r"version 1\b"):
        models.get(NAME)
