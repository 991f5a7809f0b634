"""Replays the served version and a candidate, and says what the candidate changes."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field

from torch import Tensor

from app.artifacts import Artifact, FalseAlarmRecord
from app.errors import NotFinite, TesseraError
from app.pipeline import TiledModel, predict
from app.progress import Progress, silent
from app.reviews import ReviewLabel
from app.scoring import mcnemar, share_bound
from app.shown import listed
from app.teaching.proof.marks import MarkTrials
from app.teaching.proof.pictures import KnownPicture
from app.teaching.proof.proof import (
    MOST_LISTED,
    ChangedPicture,
    Doubt,
    DoubtfulPicture,
    MarkedKind,
    Proof,
    Share,
    listed_doubts,
)
from app.teaching.proof.resemblance import Resemblances
from app.teaching.proof.sentences import counted
from app.teaching.proof.view import View, calibration_of, view_of

OTHERWISE = "teach with a higher rate of false alarms, or without a second stage"
"""What may help if the reviews are right."""
FAR = 0.75
"""The normalised score from which a picture is far over the threshold: half as much again as the threshold."""
FEWEST_FAR = 3
"""So many harmless pictures far over the threshold are more than single odd ones, and need a second person's word."""


def prove(
    served: Artifact,
    candidate: TiledModel,
    pictures: Sequence[KnownPicture],
    *,
    held_out: FalseAlarmRecord | None,
    most_lost: int = 0,
    progress: Progress = silent,
) -> Proof:
    """Replays both versions on kept pictures, on drawn marks and on the golden sample.

    candidate: with its thresholds, before it is written
    held_out: the false alarms of the candidate among normal pictures that it had not learned; None: not known
    most_lost: the number of confirmed defects that the candidate may lose

    What `progress` raises ends the work. Raises NotFinite if the candidate computes NaN or infinity.
    """
    replay = _Replay(served, candidate)
    for number, picture in enumerate(pictures, start=1):
        replay.add(picture)
        progress("replay", number, len(pictures))
    return replay.proof(held_out, most_lost)


@dataclass(frozen=True, slots=True)
class _Seen:
    picture: KnownPicture
    served: View
    candidate: View

    @property
    def changes(self) -> bool:
        return self.served.anomalous is not self.candidate.anomalous

    @property
    def is_harmless(self) -> bool:
        return self.picture.label is ReviewLabel.harmless

    @property
    def lost(self) -> int:
        """The number of confirmed defects that only the served version finds."""
        pairs = zip(self.served.found, self.candidate.found, strict=True)
        return sum(before and not after for before, after in pairs)

    @property
    def gained(self) -> int:
        """The number of confirmed defects that only the candidate finds."""
        pairs = zip(self.served.found, self.candidate.found, strict=True)
        return sum(after and not before for before, after in pairs)

    def described(self) -> ChangedPicture:
        label = self.picture.label
        return ChangedPicture(
            self.picture.id,
            self.picture.name,
            "" if label is None else label.value,
            self.served.score,
            self.candidate.score,
            self.lost,
        )


@dataclass(slots=True)
class _Replay:
    """What was seen so far."""

    artifact: Artifact
    candidate: TiledModel
    seen: list[_Seen] = field(default_factory=list)
    unread: list[KnownPicture] = field(default_factory=list)
    marks: MarkTrials = field(init=False)
    resemblances: Resemblances = field(init=False)

    def __post_init__(self) -> None:
        self.marks = MarkTrials(self.artifact.model, self.candidate)
        self.resemblances = Resemblances(self.artifact)

    def add(self, picture: KnownPicture) -> None:
        """Replays a picture; one that cannot be read is left out, and named."""
        try:
            image = picture.read()
        except (TesseraError, OSError):
            self.unread.append(picture)
            return
        before = predict(self.artifact.model, image)
        after = predict(self.candidate, image)
        seen = _Seen(
            picture,
            view_of(self.artifact.model, before, picture.review),
            view_of(self.candidate, after, picture.review),
        )
        self.seen.append(seen)
        self.resemblances.add(picture, image, before.anomaly_map, seen.served.anomalous)
        if not self.marks.is_complete and self._is_good(seen):
            self.marks.add(image, before.anomaly_map)

    def proof(self, held_out: FalseAlarmRecord | None, most_lost: int) -> Proof:
        harmless = [each for each in self.seen if each.is_harmless]
        changed = [each for each in self.seen if each.changes or each.lost]
        changed.sort(key=lambda each: abs(each.served.score - 0.5))
        doubts = self._doubts()
        lost, gained = sum(each.lost for each in self.seen), sum(each.gained for each in self.seen)
        found = sum(sum(each.served.found) for each in self.seen)
        missed = sum(len(each.served.found) for each in self.seen) - found
        fewer = sum(each.changes and each.served.anomalous for each in self.seen)
        more = sum(each.changes and each.candidate.anomalous for each in self.seen)
        golden_change, golden_reason = self._golden()
        return Proof(
            model=self.artifact.name,
            served=self.artifact.version,
            reviewed=sum(each.picture.label is not None for each in self.seen),
            unreviewed=sum(each.picture.label is None for each in self.seen),
            unread=tuple(each.name or each.id for each in self.unread[:MOST_LISTED]),
            unread_count=len(self.unread),
            vanished=sum(each.changes and each.served.anomalous for each in harmless),
            remaining=sum(each.served.anomalous and each.candidate.anomalous for each in harmless),
            raised=sum(each.changes and each.candidate.anomalous for each in harmless),
            lost=Share(lost, found),
            gained=Share(gained, missed),
            more_alarms=more,
            fewer_alarms=fewer,
            p_value=mcnemar(fewer, more),
            changes=tuple(each.described() for each in changed[:MOST_LISTED]),
            changed=len(changed),
            held_out=None if held_out is None else Share(held_out.exceeded, held_out.pictures),
            bound=None if held_out is None else share_bound(held_out.exceeded, held_out.pictures),
            marks=tuple(MarkedKind(**asdict(each)) for each in self.marks.kinds.values()),
            golden_change=golden_change,
            doubts=listed_doubts(doubts),
            doubtful=len(doubts),
            reasons=tuple(self._reasons(lost, found, most_lost, golden_reason)),
        )

    def _is_good(self, seen: _Seen) -> bool:
        """Whether marks may be drawn: nothing speaks of a defect in the picture."""
        return seen.is_harmless or (seen.picture.label is None and not seen.served.anomalous)

    def _reasons(self, lost: int, found: int, most_lost: int, golden: str) -> list[str]:
        reasons = []
        if lost > most_lost:
            names = [each.picture.name or each.picture.id for each in self.seen if each.lost]
            reasons.append(
                f"{lost} of {counted(found, 'confirmed defect')} would be lost, and at most {most_lost} may be, in "
                f"{listed(names)}; look at the reviews that call similar places harmless, or {OTHERWISE}"
            )
        unread = [each.name or each.id for each in self.unread if each.label is ReviewLabel.defect]
        if unread:
            reasons.append(
                f"pictures with confirmed defects cannot be replayed: {listed(unread)}; delete them, or restore their "
                "files, then teach again"
            )
        before, after = (calibration_of(model).pixel_threshold for model in (self.artifact.model, self.candidate))
        reasons.extend(
            f"marks of the kind {each.kind!r} would no longer be found: {each.clear_lost} of {each.clear} that "
            f"version {self.artifact.version} finds clearly; the threshold of pixels would be {after / before:.2g} "
            f"times as high; review pictures with such defects, or {OTHERWISE}"
            for each in self.marks.kinds.values()
            if each.is_lost
        )
        return [*reasons, golden] if golden else reasons

    def _golden(self) -> tuple[float, str]:
        """The change of the golden sample's map, and why the candidate is refused by it; empty: it is not.

        The sample is a generated picture that no camera takes. A version that calls it anomalous knows its own pictures
        by something that a taught version must not forget.
        """
        sample: Tensor = self.artifact.golden.picture
        served, candidate = (model.with_zones(None) for model in (self.artifact.model, self.candidate))
        before, after = predict(served, sample), predict(candidate, sample)
        if not bool(after.anomaly_map.isfinite().all()):
            raise NotFinite("the candidate computes NaN or infinity for the golden sample")
        scale = max(float(before.anomaly_map.abs().max()), 1e-12)
        change = float((after.anomaly_map - before.anomaly_map).abs().max()) / scale
        was, is_now = (
            outcome.raw_score > calibration_of(model).image_threshold
            for model, outcome in ((self.artifact.model, before), (self.candidate, after))
        )
        reason = (
            f"the golden sample, a generated picture, is anomalous for version {self.artifact.version}, and would be "
            "normal"
        )
        return change, reason if was and not is_now else ""

    def _doubts(self) -> list[DoubtfulPicture]:
        scores = {each.picture.id: each.served.score for each in self.seen}
        found = {
            picture.id: DoubtfulPicture(
                picture.id, picture.name, picture.reviewer, Doubt.resembles, scores[picture.id], defect.id
            )
            for picture, defect in self.resemblances.found()
        }
        far = [each for each in self.seen if each.served.score >= FAR]
        harmless = [each for each in far if each.is_harmless]
        unreviewed = [each for each in far if each.picture.label is None and each.changes]
        named = [(each, Doubt.far) for each in (harmless if len(harmless) >= FEWEST_FAR else ())]
        named += [(each, Doubt.unreviewed) for each in unreviewed]
        for each, doubt in named:
            picture = each.picture
            found.setdefault(
                picture.id, DoubtfulPicture(picture.id, picture.name, picture.reviewer, doubt, each.served.score)
            )
        return list(found.values())
