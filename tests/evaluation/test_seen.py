from pathlib import Path

import pytest

from app.artifacts import Artifact, DigestRecord, Manifest, Protocol, SeenRecord
from app.data import LabelledPicture, read_digests
from app.errors import InvalidDataset
from app.evaluation import select_unseen, select_unseen_by_both


@pytest.fixture
def pictures(tmp_path: Path) -> list[LabelledPicture]:
    """Four files; the second is a copy of the first."""
    found = []
    for number, content in enumerate((b"a", b"a", b"b", b"c")):
        path = tmp_path / f"{number}.png"
        path.write_bytes(content)
        found.append(LabelledPicture(path, "cut" if number == 3 else "good", None))
    return found


def manifest(artifact: Artifact, fitted: list[LabelledPicture], calibrated: list[LabelledPicture]) -> Manifest:
    records = [DigestRecord.of(read_digests(each.path for each in group).values()) for group in (fitted, calibrated)]
    return artifact.manifest.model_copy(update={"seen": SeenRecord(fitted=records[0], calibrated=records[1])})


def with_protocol(seen: Manifest, protocol: Protocol) -> Manifest:
    return seen.model_copy(update={"calibration": seen.calibration.model_copy(update={"protocol": protocol})})


def test_pictures_that_the_model_has_seen_are_left_out(artifact: Artifact, pictures: list[LabelledPicture]) -> None:
    selection = select_unseen(pictures, manifest(artifact, [pictures[0]], [pictures[2]]))
    assert selection.pictures == (pictures[3],)
    assert selection.excluded == tuple(pictures[:3])  # the copy as well
    assert selection.warning is None
    (note,) = selection.notes
    assert "3 of 4 pictures are left out" in note and "fitted to 2 and calibrated on 1" in note


def test_seen_pictures_are_kept_on_request_with_a_warning(artifact: Artifact, pictures: list[LabelledPicture]) -> None:
    selection = select_unseen(pictures, manifest(artifact, [], [pictures[2]]), "keep")
    assert selection.pictures == tuple(pictures) and not selection.notes
    assert selection.warning is not None and "calibrated on 1 of these 4 pictures" in selection.warning


def test_only_the_pictures_that_the_reference_calibrated_on_stay(
    artifact: Artifact, pictures: list[LabelledPicture]
) -> None:
    seen = with_protocol(manifest(artifact, [pictures[0]], pictures[2:]), "reference")
    selection = select_unseen(pictures, seen)
    assert selection.pictures == tuple(pictures[2:])
    assert selection.warning is not None and "calibrated on 2 of these 2 pictures" in selection.warning


@pytest.mark.parametrize("action", ["exclude", "keep"])
def test_without_overlap_nothing_is_said(artifact: Artifact, pictures: list[LabelledPicture], action: str) -> None:
    selection = select_unseen(pictures[2:], manifest(artifact, [pictures[0]], []), action)  # type: ignore[arg-type]  # both values of the Literal
    assert (selection.pictures, selection.warning, selection.notes) == (tuple(pictures[2:]), None, [])


def test_a_model_without_digests_recognises_nothing(artifact: Artifact, pictures: list[LabelledPicture]) -> None:
    assert artifact.manifest.seen is None
    assert select_unseen(pictures, artifact.manifest).pictures == tuple(pictures)


def test_if_the_model_has_seen_all_pictures_the_error_says_what_to_do(
    artifact: Artifact, pictures: list[LabelledPicture]
) -> None:
    with pytest.raises(InvalidDataset, match=r"all of the 4 pictures.*--seen_pictures keep"):
        select_unseen(pictures, manifest(artifact, pictures, []))


def test_two_models_get_the_pictures_that_neither_has_seen(artifact: Artifact, pictures: list[LabelledPicture]) -> None:
    known = manifest(artifact, pictures[:1], []), artifact.manifest
    first, second = select_unseen_by_both(pictures, known)
    assert first.pictures == second.pictures == tuple(pictures[2:])
    assert first.excluded == second.excluded == tuple(pictures[:2])
    assert "fitted to 2 of them" in first.notes[0]
    assert "Only the other model" in second.notes[0]


def test_if_two_models_have_seen_all_pictures_together_the_error_says_what_to_do(
    artifact: Artifact, pictures: list[LabelledPicture]
) -> None:
    known = manifest(artifact, pictures[:2], []), manifest(artifact, [], pictures[2:])
    with pytest.raises(InvalidDataset, match=r"each of the 4 pictures.*others.*--seen_pictures keep"):
        select_unseen_by_both(pictures, known)


def test_a_record_keeps_a_bounded_number_of_digests(artifact: Artifact, pictures: list[LabelledPicture]) -> None:
    digests = [f"{number:016x}" for number in reversed(range(5000))]
    record = DigestRecord.of([*digests, *digests])
    assert record.pictures == 5000
    assert record.digests == tuple(sorted(digests)[:4096])
    own = next(iter(read_digests([pictures[0].path]).values()))
    bounded = DigestRecord(pictures=40, digests=(own,))
    seen = artifact.manifest.model_copy(update={"seen": SeenRecord(fitted=bounded, calibrated=DigestRecord.of([]))})
    assert "does not recognise about 98%" in select_unseen(pictures, seen).notes[1]
