"""What the replay of a candidate counts, and what it refuses."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from torch import Tensor

from app.artifacts import Artifact, FalseAlarmRecord
from app.errors import InvalidImage, InvalidParameter
from app.pipeline import TiledModel, predict
from app.reviews import ReviewedRegion, ReviewLabel
from app.scoring import calibration_at
from app.synthesis import MARK_KINDS
from app.teaching.proof import Doubt, ProofResult, parse_serve_rules, sentences_of
from app.teaching.proof.marks import MOST_PICTURES
from app.teaching.proof.pictures import KnownPicture
from app.teaching.proof.proof import MOST_LISTED, DoubtfulPicture, listed_doubts
from app.teaching.proof.prove import prove
from tests.teaching.proof.conftest import STAIN, picture

HARMLESS, DEFECT, UNSURE = ReviewLabel.harmless, ReviewLabel.defect, ReviewLabel.unsure
RED, GREY = (255, 0, 0), (150, 150, 150)
Scaled = Callable[[float], TiledModel]


def ratio(served: Artifact, known: KnownPicture) -> float:
    return predict(served.model, known.read()).raw_score / served.calibration.image_threshold


def test_verdicts_alarms_and_defects_are_counted(served: Artifact, scaled: Scaled) -> None:
    stained = [picture(0, HARMLESS, GREY), picture(1, DEFECT, RED), picture(2, None, GREY), picture(3, UNSURE, GREY)]
    drawn = ReviewedRegion(DEFECT, (STAIN,), missed=True)
    elsewhere = ReviewedRegion(DEFECT, (((0.0, 0.0), (20.0, 0.0), (20.0, 20.0), (0.0, 20.0)),), missed=True)
    pictures = [*stained, picture(4, HARMLESS), picture(5), picture(6, DEFECT, RED, (drawn, elsewhere))]
    grey = [ratio(served, pictures[number]) for number in (0, 2, 3)]
    red = [ratio(served, pictures[number]) for number in (1, 6)]
    assert 1 < max(grey) < min(red)
    candidate = scaled((max(grey) + min(red)) / 2)
    reports = list[tuple[str, int, int]]()
    found = prove(
        served,
        candidate,
        pictures,
        held_out=FalseAlarmRecord(pictures=42, exceeded=2, low=0, high=1),
        progress=lambda stage, done, total, note="": reports.append((stage, done, total)),
    )
    assert reports == [("replay", number, 7) for number in range(1, 8)]
    assert (found.reviewed, found.unreviewed, found.unread) == (5, 2, ())
    assert (found.vanished, found.remaining, found.raised) == (1, 0, 0)
    assert (found.lost.count, found.lost.total) == (0, 2)
    assert (found.gained.count, found.gained.total) == (0, 1)  # the place without a stain
    assert (found.fewer_alarms, found.more_alarms, found.changed) == (3, 0, 3)
    assert found.p_value == 0.25
    assert {each.id for each in found.changes} == {"id0", "id2", "id3"}
    assert [each.review for each in sorted(found.changes, key=lambda each: each.id)] == ["harmless", "", "unsure"]
    assert all(each.served_score > 0.5 >= each.candidate_score for each in found.changes)
    text = "\n".join(sentences_of(found))
    assert "1 false alarm of 1 vanishes, and 0 new ones appear" in text
    assert "0 of 2 confirmed defects lost (95 % interval 0.0% to 84.2%)" in text
    assert "0 of 1 confirmed defect that version 1 misses found" in text
    assert "rate of false alarms 4.8% (2 of 42 normal pictures" in text and "bound 14.2%" in text
    assert "3 verdicts change, 1 of them without a review: 3 to normal, 0 to anomalous (McNemar's p 0.25)" in text


def test_a_lower_threshold_raises_alarms_and_finds_what_was_missed(served: Artifact, scaled: Scaled) -> None:
    pictures = [picture(0, HARMLESS), picture(1, DEFECT), picture(2)]
    found = prove(served, scaled(0.1), pictures, held_out=None)
    assert (found.raised, found.more_alarms, found.gained.count, found.gained.total) == (1, 3, 1, 1)
    assert found.held_out is None and found.bound is None
    assert "0 of 0" not in "\n".join(sentences_of(found))


def test_lost_defects_refuse_the_candidate_beyond_the_limit(served: Artifact, scaled: Scaled) -> None:
    pictures = [picture(0, DEFECT, RED), picture(1, DEFECT, RED)]
    candidate = scaled(1.01 * max(ratio(served, each) for each in pictures))
    found = prove(served, candidate, pictures, held_out=None)
    assert found.result is ProofResult.refused and found.lost.count == 2
    assert "2 of 2 confirmed defects would be lost, and at most 0 may be, in p0.png, p1.png" in found.reasons[0]
    assert sentences_of(found)[0].startswith("refused: ")
    allowed = prove(served, candidate, pictures, held_out=None, most_lost=2)
    assert not any("confirmed" in reason for reason in allowed.reasons)
    (first, *_) = sentences_of(replace(allowed, reasons=()))
    assert first == (
        "2 confirmed defects would be lost, which is allowed; nothing else speaks against serving it instead of "
        "version 1"
    )


def test_a_defect_that_is_no_longer_marked_is_no_change_of_a_verdict(served: Artifact) -> None:
    known = picture(0, DEFECT, RED, (ReviewedRegion(DEFECT, (STAIN,)),))
    old = served.calibration
    candidate = served.model.with_calibration(calibration_at(old.image_threshold, 1000 * old.pixel_threshold))
    found = prove(served, candidate, [known], held_out=None)
    assert (found.lost.count, found.changed, found.more_alarms, found.fewer_alarms) == (1, 1, 0, 0)
    assert any(line.startswith("0 verdicts change: 0 to normal, 0 to anomalous") for line in sentences_of(found))


def test_the_same_version_changes_nothing(served: Artifact) -> None:
    pictures = [picture(0, HARMLESS), picture(1, DEFECT, RED), picture(2)]
    found = prove(served, served.model, pictures, held_out=None)
    assert (found.result, found.changed, found.changes, found.golden_change) == (ProofResult.sound, 0, (), 0.0)
    assert sum(each.found for each in found.marks) > 0 == sum(each.lost for each in found.marks)
    assert "nothing speaks against serving it instead of version 1" in sentences_of(found)


def test_marks_that_are_no_longer_found_refuse_the_candidate(served: Artifact, scaled: Scaled) -> None:
    pictures = [picture(number) for number in range(MOST_PICTURES + 1)]
    found = prove(served, scaled(50.0), pictures, held_out=None)
    assert found.result is ProofResult.refused
    kinds = {each.kind: each for each in found.marks}
    assert kinds["stain"].clear_lost == kinds["stain"].clear > 1
    assert sum(each.drawn for each in found.marks) <= 2 * len(MARK_KINDS) * MOST_PICTURES
    assert any("marks of the kind 'stain' would no longer be found" in reason for reason in found.reasons)
    assert any("the golden sample" in reason for reason in found.reasons)


def test_reviews_that_need_a_second_word_are_named(served: Artifact) -> None:
    region = ReviewedRegion(HARMLESS, (STAIN,))
    pictures = [
        picture(0, DEFECT, RED),
        picture(1, HARMLESS, RED, (region,), "lena"),  # resembles the defect
        *(picture(number, HARMLESS, (0, 0, 255), reviewer="otto") for number in (2, 3, 4)),  # far, as others are
        picture(5, HARMLESS, reviewer="otto"),
    ]
    found = prove(served, served.model, pictures, held_out=None)
    named = {each.id: (each.reviewer, each.doubt, each.like) for each in found.doubts}
    assert named["id1"] == ("lena", Doubt.resembles, "id0")
    assert {named[f"id{number}"][0] for number in (2, 3, 4)} == {"otto"} and "id5" not in named
    assert found.result is ProofResult.second_word
    assert any("a second person must look at p1.png" in line for line in sentences_of(found))


def test_a_long_list_of_doubts_names_each_reviewer() -> None:
    reviewers = ["lena"] * MOST_LISTED + ["otto"]
    doubts = [DoubtfulPicture(f"{number}", "", each, Doubt.far, 0.9) for number, each in enumerate(reviewers)]
    found = listed_doubts(doubts)
    assert len(found) == len({each.id for each in found}) == MOST_LISTED
    assert [each.reviewer for each in found[:3]] == ["lena", "otto", "lena"]
    assert listed_doubts(doubts[:5]) == tuple(doubts[:5])


def test_far_alarms_that_nobody_has_reviewed_must_be_looked_at(served: Artifact, scaled: Scaled) -> None:
    known = picture(0, None, RED)
    found = prove(served, scaled(1.01 * ratio(served, known)), [known], held_out=None)
    assert [(each.id, each.doubt) for each in found.doubts] == [("id0", Doubt.unreviewed)]


def test_a_proof_lists_a_limited_number_of_pictures_that_cannot_be_read(served: Artifact) -> None:
    def broken() -> Tensor:
        raise OSError

    pictures = [replace(picture(0), read=broken)] * (MOST_LISTED + 5)
    found = prove(served, served.model, pictures, held_out=None)
    assert (len(found.unread), found.unread_count) == (MOST_LISTED, MOST_LISTED + 5)
    assert any(line.endswith(f"p0.png and {MOST_LISTED - 5} more") for line in sentences_of(found))


def test_pictures_that_cannot_be_read_are_named_and_defects_among_them_refuse(served: Artifact) -> None:
    def broken() -> Tensor:
        raise InvalidImage("it is damaged")

    pictures = [replace(picture(0), read=broken), replace(picture(1, DEFECT, RED), read=broken), picture(2)]
    found = prove(served, served.model, pictures, held_out=None)
    assert found.unread == ("p0.png", "p1.png") and found.unreviewed == 1
    assert found.reasons == (
        "pictures with confirmed defects cannot be replayed: p1.png; delete them, or restore their files, then "
        "teach again",
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("alarms:0.1", "one rule"),
        ("alarms:2,reviewed:5", "no rule"),
        ("reviewed:0,alarms:0.1", "no rule"),
        ("alarms:0.1,alarms:0.2", "twice"),
        ("lost:1,reviewed:5", "no rule"),
        ("reviewed:10000000000,alarms:0.1", "no rule"),
    ],
)
def test_rules_that_cannot_be_understood_are_explained(text: str, message: str) -> None:
    with pytest.raises(InvalidParameter, match=message):
        parse_serve_rules(text)


def test_rules_allow_what_is_sound_and_known(served: Artifact) -> None:
    rules = parse_serve_rules("alarms:0.1, reviewed:3")
    assert parse_serve_rules("") is None and rules is not None
    pictures = [picture(number, HARMLESS) for number in range(3)]
    alarms = FalseAlarmRecord(pictures=100, exceeded=3, low=0, high=1)
    proof = prove(served, served.model, pictures, held_out=alarms)
    assert list(rules.unmet(proof)) == []
    assert list(rules.unmet(replace(proof, bound=0.2, reviewed=1))) == [
        "the rate of false alarms has the bound 20.0%, and the rule allows 10.0%",
        "1 picture reviewed, and the rule needs 3",
    ]
    assert list(rules.unmet(replace(proof, bound=None, reasons=("no",)))) == [
        "the proof asks for a person's word",
        "the rate of false alarms is not known",
    ]
