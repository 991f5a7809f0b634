from dataclasses import replace
from pathlib import Path

import pytest

from app.artifacts import Artifact, ModelRepository, load_artifact
from app.service import NoteCode, notes
from app.tiling import Size
from tests.conftest import SIZE

TILE = 64


@pytest.fixture(scope="module")
def artifact(models_dir: Path) -> Artifact:
    return load_artifact(ModelRepository(models_dir).find("patchcore"))


def codes(artifact: Artifact, size: Size) -> list[NoteCode]:
    return [note.code for note in notes(artifact, size)]


def test_a_picture_of_a_size_that_was_trained_on_has_no_note(artifact: Artifact) -> None:
    assert codes(artifact, SIZE) == []


def test_a_picture_of_another_size_is_noted_with_the_sizes(artifact: Artifact) -> None:
    (note,) = notes(artifact, (100, 200))
    assert note.code is NoteCode.unseen_size
    assert "160 x 96" in note.message and "200 x 100" in note.message


@pytest.mark.parametrize("size", [(TILE - 1, 200), (200, TILE - 1), (1, 1)])
def test_a_picture_that_is_smaller_than_a_tile_is_noted(artifact: Artifact, size: Size) -> None:
    assert codes(artifact, size) == [NoteCode.unseen_size, NoteCode.smaller_than_tile]


def test_a_model_without_recorded_sizes_has_no_note_on_sizes(artifact: Artifact) -> None:
    provenance = artifact.manifest.provenance.model_copy(update={"picture_sizes": ()})
    unknown = replace(artifact, manifest=artifact.manifest.model_copy(update={"provenance": provenance}))
    assert codes(unknown, (100, 200)) == []


def test_a_resized_picture_is_not_smaller_than_a_tile(models_dir: Path) -> None:
    padim = load_artifact(ModelRepository(models_dir).find("padim"))
    assert codes(padim, (10, 10)) == [NoteCode.unseen_size]
