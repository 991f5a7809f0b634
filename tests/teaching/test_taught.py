"""From kept pictures to a proved version that does not serve yet."""

from pathlib import Path

import pytest

from app.artifacts import ModelRepository, copy, live_version, load_artifact, promote, read_manifest, verify_artifact
from app.errors import NothingToLearn, TeachingConflict
from app.pipeline import predict
from app.reviews import ReviewLabel
from app.teaching.proof import Doubt, ProofResult, proof_of, values_of
from app.teaching.proof.pictures import known_pictures
from app.teaching.taught import teach, write_candidate
from tests.store.kept.making import opened
from tests.teaching.kept import filled

NAME = "lid"


def test_false_alarms_vanish_and_the_candidate_waits_beside_the_served_version(
    repository: ModelRepository, tmp_path: Path
) -> None:
    store = filled(tmp_path / "kept", NAME)
    stages = list[str]()
    taught = teach(
        repository, NAME, store, device="cpu", progress=lambda stage, done, total, note="": stages.append(stage)
    )
    assert stages.count("replay") == 10 and stages.index("replay") > stages.index("thresholds")
    proof = taught.proof
    assert proof.result is not ProofResult.refused, proof.reasons
    assert (proof.reviewed, proof.unreviewed, proof.vanished) == (7, 3, 4)
    assert (proof.lost.count, proof.lost.total) == (0, 3)
    assert proof_of(values_of(proof)) == proof
    assert repository.serving(NAME).pinned is None and len(repository.versions(NAME)) == 1
    entry = write_candidate(repository, taught)
    assert (entry.version, live_version(repository, NAME), repository.serving(NAME).pinned) == (2, 1, 1)
    assert read_manifest(entry.path).taught is not None
    written = load_artifact(entry)
    for known in known_pictures(store, NAME):
        image = known.read()
        assert predict(written.model, image).raw_score == predict(taught.learned.model, image).raw_score
    promote(repository, NAME, 2, verify_artifact)
    with pytest.raises(TeachingConflict, match="compared with version 1 of 'lid', and version 2 serves by now"):
        write_candidate(repository, taught)
    store.close()


def test_twenty_defects_called_harmless_are_refused_with_the_reason(
    repository: ModelRepository, tmp_path: Path
) -> None:
    store = filled(tmp_path / "kept", NAME, poison=20, reviewer="otto")
    taught = teach(repository, NAME, store, device="cpu")
    proof = taught.proof
    assert proof.result is ProofResult.refused
    assert proof.lost.count == 3
    assert "3 of 3 confirmed defects would be lost, and at most 0 may be" in "; ".join(proof.reasons)
    resembling = [each for each in proof.doubts if each.doubt is Doubt.resembles]
    assert {each.name for each in resembling} >= {f"p{seed}.png" for seed in range(330, 350)}
    assert {each.reviewer for each in resembling} == {"otto"} and all(each.like for each in resembling)
    with pytest.raises(TeachingConflict, match="refused: 3 of 3 confirmed defects"):
        write_candidate(repository, taught)
    assert len(repository.versions(NAME)) == 1 and repository.serving(NAME).pinned is None
    store.close()


def test_a_version_that_was_replaced_meanwhile_is_no_base_of_the_proof(
    repository: ModelRepository, tmp_path: Path
) -> None:
    store = filled(tmp_path / "kept", NAME)
    taught = teach(repository, NAME, store, device="cpu")
    copy(repository, NAME, 1)
    with pytest.raises(TeachingConflict, match="version 2 serves by now"):
        write_candidate(repository, taught)
    assert repository.serving(NAME).pinned is None
    store.close()


def test_pictures_that_are_removed_meanwhile_end_no_teaching(repository: ModelRepository, tmp_path: Path) -> None:
    store = filled(tmp_path / "kept", NAME)
    reviewed = sorted(store.each(model=NAME, reviewed=True), key=lambda each: each.digest)
    harmless, defects = (
        [each for each in reviewed if each.review and each.review.label is label]
        for label in (ReviewLabel.harmless, ReviewLabel.defect)
    )

    def report(stage: str, done: int, total: int, note: str = "") -> None:
        if (stage, done) == ("pictures", 1):
            for each in (harmless[0], defects[-1]):  # the one is read by now, the other is not
                store.delete(each.id, each.revision)

    taught = teach(repository, NAME, store, device="cpu", most_lost=3, progress=report)
    assert (taught.learned.taught.harmless, taught.learned.taught.defects) == (4, 2)
    assert f"left out: {defects[-1].shown_name}, which cannot be read" in "; ".join(taught.learned.notes)
    assert len(taught.proof.unread) == 2
    with pytest.raises(TeachingConflict, match="pictures with confirmed defects cannot be replayed"):
        write_candidate(repository, taught)
    assert taught.learned.write(repository).version == 2
    store.close()


def test_a_store_without_reviews_teaches_nothing(repository: ModelRepository, tmp_path: Path) -> None:
    store = opened(tmp_path / "kept")
    with pytest.raises(NothingToLearn):
        teach(repository, NAME, store, device="cpu")
    store.close()
