from dataclasses import replace
from pathlib import Path

import pytest
import torch

from app.artifacts import Artifact, ModelRepository, load_artifact
from app.pipeline import Coverage, Criteria, DefectRegion, Label, Prediction, Roi
from app.service import NoteCode, notes
from app.tiling import Size
from tests.conftest import SIZE

TILE = 64


@pytest.fixture(scope="module")
def artifact(models_dir: Path) -> Artifact:
    return load_artifact(ModelRepository(models_dir).find("patchcore"))


def predicted(label: Label, regions: int, min_region_area: int = 1) -> Prediction:
    region = DefectRegion(0, 0, 1, 1, 1, 0.9, (0, 0))
    return Prediction(0.5, 1.0, label, (region,) * regions, Criteria(0.5, min_region_area), torch.zeros(1, 1))


NORMAL = predicted(Label.normal, 0)


def codes(artifact: Artifact, size: Size, prediction: Prediction = NORMAL) -> list[NoteCode]:
    return [note.code for note in notes(artifact, size, prediction)]


def test_a_picture_of_a_size_that_was_trained_on_has_no_note(artifact: Artifact) -> None:
    assert codes(artifact, SIZE) == []


def test_a_picture_of_another_size_is_noted_with_the_sizes(artifact: Artifact) -> None:
    (note,) = notes(artifact, (100, 200), NORMAL)
    assert note.code is NoteCode.unseen_size
    assert "160 x 96" in note.message and "200 x 100" in note.message


@pytest.mark.parametrize(
    ("size", "expected"), [((110, 300), []), ((120, 200), []), ((121, 250), [NoteCode.unseen_size])]
)
def test_sizes_between_those_of_the_training_are_no_surprise(
    artifact: Artifact, size: Size, expected: list[NoteCode]
) -> None:
    provenance = artifact.manifest.provenance.model_copy(update={"picture_sizes": ((100, 300), (120, 200))})
    varied = replace(artifact, manifest=artifact.manifest.model_copy(update={"provenance": provenance}))
    assert codes(varied, size) == expected


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


@pytest.mark.parametrize(
    ("prediction", "expected"),
    [
        (predicted(Label.anomalous, 0), [NoteCode.anomalous_without_region]),
        (predicted(Label.normal, 1), [NoteCode.normal_with_regions]),
        (predicted(Label.anomalous, 2), []),
    ],
)
def test_a_score_and_a_map_that_disagree_are_noted(
    artifact: Artifact, prediction: Prediction, expected: list[NoteCode]
) -> None:
    assert codes(artifact, SIZE, prediction) == expected


def test_the_smallest_region_is_named_where_it_may_be_the_reason(artifact: Artifact) -> None:
    (note,) = notes(artifact, SIZE, predicted(Label.anomalous, 0, min_region_area=40))
    assert "40 pixels" in note.message


@pytest.mark.parametrize("label", [Label.anomalous, Label.undecided])
def test_a_picture_of_which_a_part_was_looked_at_is_noted(artifact: Artifact, label: Label) -> None:
    part = Coverage(0.254, (Roi(0, 0, 8, 8),), 8, 2)
    (note,) = notes(artifact, SIZE, replace(predicted(label, int(label is Label.anomalous)), coverage=part))
    assert note.code is NoteCode.partial and "25.4%" in note.message
    assert ("not known to be normal" in note.message) == (label is Label.undecided)
    assert codes(artifact, SIZE, replace(NORMAL, coverage=Coverage.whole(8))) == []
