"""What the replay of a candidate has shown, as values."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from app.scoring import Interval, share_interval

MOST_LISTED = 200
"""The most pictures that a proof lists of each kind; all are counted."""


class ProofResult(StrEnum):
    """The result of a proof.

    sound: nothing speaks against the candidate
    second_word: some reviews must be confirmed by a person who did not make them, before the candidate may serve
    refused: the candidate must not serve
    """

    sound = "sound"
    second_word = "second_word"
    refused = "refused"


@dataclass(frozen=True, slots=True)
class Share:
    """`count` of `total` cases, with the exact 95 % interval of the share."""

    count: int
    total: int

    @property
    def interval(self) -> Interval:
        return share_interval(self.count, self.total)


@dataclass(frozen=True, slots=True)
class ChangedPicture:
    """A picture on which the verdicts of the two versions differ, or that loses a confirmed defect.

    id: in the store
    review: the label of its review; empty: nobody has reviewed it
    served_score, candidate_score: normalised, in [0, 1]; over 0.5 the version calls the picture anomalous
    lost: how many confirmed defects the served version finds and the candidate does not
    """

    id: str
    name: str
    review: str
    served_score: float
    candidate_score: float
    lost: int


class Doubt(StrEnum):
    """Why a picture needs a second person's word.

    resembles: it was called harmless, and resembles a confirmed defect of another picture
    far: it was called harmless, and is far over the threshold of the served version, as others are
    unreviewed: nobody has reviewed it, it is far over the threshold of the served version, and the candidate calls it
        normal
    """

    resembles = "resembles"
    far = "far"
    unreviewed = "unreviewed"


@dataclass(frozen=True, slots=True)
class DoubtfulPicture:
    """A picture that needs a second person's word.

    reviewer: the name of the reviewer's API key; empty: not known, or there is no review
    like: the id of the picture whose confirmed defect it resembles; empty: none
    score: normalised, by the served version
    """

    id: str
    name: str
    reviewer: str
    doubt: Doubt
    score: float
    like: str = ""


def listed_doubts(doubts: Sequence[DoubtfulPicture]) -> tuple[DoubtfulPicture, ...]:
    """At most MOST_LISTED of them, one of each reviewer first: nobody may confirm doubtful reviews of their own."""
    first: dict[str, DoubtfulPicture] = {}
    for each in doubts:
        first.setdefault(each.reviewer, each)
    ids = {each.id for each in first.values()}
    return (*first.values(), *(each for each in doubts if each.id not in ids))[:MOST_LISTED]


@dataclass(frozen=True, slots=True)
class MarkedKind:
    """Marks of a kind that were drawn into good pictures: see app.teaching.proof.marks."""

    kind: str
    drawn: int
    found: int
    lost: int
    clear: int
    clear_lost: int


@dataclass(frozen=True, slots=True)
class Proof:
    """What the replay of a candidate has shown, beside the served version.

    model, served: the name, and the version that serves
    reviewed, unreviewed: the pictures that were replayed
    unread: the names of pictures that could not be read; `unread_count` is their number
    vanished, remaining, raised: of the pictures that are harmless by their reviews, those that only the served version
        calls anomalous, both versions do, and only the candidate does
    lost, gained: confirmed defects that only the served version finds, of those that it finds; and that only the
        candidate finds, of those that the served version misses
    more_alarms, fewer_alarms: of all pictures, those that only the candidate, or only the served version, calls
        anomalous
    p_value: of McNemar's exact test for these two numbers
    changes: the pictures whose verdict changes, or that lose a confirmed defect, the nearest to the threshold of the
        served version first; `changed` is their number
    held_out: normal pictures over the candidate's threshold, each measured by a model that had not learned it, and the
        rate of false alarms that is not exceeded with 95 % confidence; None: not known
    marks: by kinds
    golden_change: the largest change of the map of the golden sample, as a share of its largest value
    doubts: pictures that need a second person's word, see `listed_doubts`; `doubtful` is their number
    reasons: why the candidate is refused; empty: it is not
    """

    model: str
    served: int
    reviewed: int
    unreviewed: int
    unread: tuple[str, ...]
    unread_count: int
    vanished: int
    remaining: int
    raised: int
    lost: Share
    gained: Share
    more_alarms: int
    fewer_alarms: int
    p_value: float
    changes: tuple[ChangedPicture, ...]
    changed: int
    held_out: Share | None
    bound: float | None
    marks: tuple[MarkedKind, ...]
    golden_change: float
    doubts: tuple[DoubtfulPicture, ...]
    doubtful: int
    reasons: tuple[str, ...]

    @property
    def result(self) -> ProofResult:
        if self.reasons:
            return ProofResult.refused
        return ProofResult.second_word if self.doubtful else ProofResult.sound
