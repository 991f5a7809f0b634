"""What the replay of a candidate has shown."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from app.scoring import Interval, share_interval
from app.shown import listed

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

    def sentences(self) -> list[str]:
        """What people read: the result first, then what was counted."""
        return [*self._result(), *self._alarms(), *self._defects(), *self._others(), *self._marks(), *self._doubts()]

    def _result(self) -> Iterator[str]:
        if self.reasons:
            yield f"refused: {'; '.join(self.reasons)}"
        elif self.doubtful:
            yield "not to be served without the word of a second person, see below"
        else:
            yield f"nothing speaks against serving it instead of version {self.served}"
        yield f"replayed: {self.reviewed} reviewed pictures and {self.unreviewed} others that were kept"
        if self.unread:
            yield f"not replayed, because they cannot be read: {listed(self.unread, self.unread_count)}"

    def _alarms(self) -> Iterator[str]:
        yield (
            f"{counted(self.vanished, 'false alarm')} of {self.vanished + self.remaining} {_verb(self.vanished)}, and "
            f"{counted(self.raised, 'new one')} {'appears' if self.raised == 1 else 'appear'}"
        )
        if self.held_out is not None and self.held_out.total:
            rate, (low, high) = self.held_out.count / self.held_out.total, self.held_out.interval
            bound = "" if self.bound is None else f"; bound {self.bound:.1%}, with 95 % confidence"
            yield (
                f"rate of false alarms {rate:.1%} ({self.held_out.count} of {self.held_out.total} normal pictures, "
                f"each by a model that had not learned it; {low:.1%} to {high:.1%}{bound})"
            )

    def _defects(self) -> Iterator[str]:
        lost, gained = self.lost, self.gained
        if not lost.total and not gained.total:
            yield "no picture has a confirmed defect, so that nothing shows whether defects are still found"
        if lost.total:
            low, high = lost.interval
            of = counted(lost.total, "confirmed defect")
            yield f"{lost.count} of {of} lost (95 % interval {low:.1%} to {high:.1%})"
        if gained.total:
            yield (
                f"{gained.count} of {counted(gained.total, 'confirmed defect')} that version {self.served} misses found"
            )

    def _others(self) -> Iterator[str]:
        unreviewed = sum(not each.review for each in self.changes)
        at_least = "at least " if self.changed > len(self.changes) else ""
        note = f", {at_least}{unreviewed} of them without a review" if unreviewed else ""
        changed = self.fewer_alarms + self.more_alarms
        yield (
            f"{counted(changed, 'verdict')} {'changes' if changed == 1 else 'change'}{note}: "
            f"{self.fewer_alarms} to normal, {self.more_alarms} to anomalous (McNemar's p {self.p_value:.2g})"
        )
        yield f"the map of the golden sample changes by {self.golden_change:.1%}"

    def _marks(self) -> Iterator[str]:
        found, lost = sum(each.found for each in self.marks), sum(each.lost for each in self.marks)
        if not found:
            yield "no drawn mark is found by the served version, so that marks show nothing"
            return
        line = f"{lost} of {found} drawn marks that version {self.served} finds are lost"
        if lost:
            parts = (f"{each.kind} {each.lost} of {each.found}" for each in self.marks if each.lost)
            line += f" ({', '.join(parts)})"
        yield line

    def _doubts(self) -> Iterator[str]:
        said = {
            Doubt.resembles: "called harmless, and resembling a confirmed defect",
            Doubt.far: "called harmless, and far over the threshold",
            Doubt.unreviewed: "not reviewed, far over the threshold, and normal for the candidate",
        }
        for doubt, text in said.items():
            names = [each.name or each.id for each in self.doubts if each.doubt is doubt]
            if names:
                yield f"a second person must look at {listed(names)}: {text}"


def counted(number: int, noun: str) -> str:
    """The number with the noun in its form, such as `1 picture` and `2 pictures`."""
    return f"{number} {noun}{'s' * (number != 1)}"


def _verb(number: int) -> str:
    return "vanishes" if number == 1 else "vanish"
