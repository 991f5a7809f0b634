"""Teachings: what clients decide, and what the server answers."""

from datetime import UTC, datetime
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat

from app.api.schemas.training import TrainingErrorBody
from app.teaching.proof import (
    ChangedPicture,
    Doubt,
    DoubtfulPicture,
    MarkedKind,
    Proof,
    ProofResult,
    Share,
    sentences_of,
)
from app.trainings import Teaching, TeachingDecision, TeachingState


class DecisionRequestBody(BaseModel):
    """What becomes of a candidate."""

    model_config = ConfigDict(extra="forbid")

    decision: TeachingDecision = Field(
        description="`promote`: the candidate serves. `refuse`: the served version goes on, and the candidate is "
        "deleted. `rollback`: the version that served before serves again.",
        examples=["promote"],
    )
    second_person: bool = Field(
        default=False,
        description="With `promote`: whether a person who did not make them has looked at the doubtful reviews that "
        "the proof names. With API keys, the key that promotes must not have made one of them.",
        examples=[False],
    )


class TeachRequestBody(BaseModel):
    """How a model is taught."""

    model_config = ConfigDict(extra="forbid")

    false_positive_rate: float | None = Field(
        default=None,
        gt=0,
        lt=1,
        description="Rate of false alarms that the new thresholds aim at; null: that of the training.",
        examples=[0.02],
    )
    second_stage: bool = Field(
        default=True,
        description="Whether confirmed defects may add a second stage; without it, they only set the thresholds.",
        examples=[True],
    )


class ShareBody(BaseModel):
    """Cases of all cases."""

    count: int = Field(description="Number of cases.", examples=[0])
    total: int = Field(description="Number of all cases.", examples=[41])
    low: FiniteFloat = Field(description="Lower end of the exact 95 % interval of the share.", examples=[0.0])
    high: FiniteFloat = Field(description="Upper end of the interval.", examples=[0.086])

    @classmethod
    def of(cls, share: Share) -> Self:
        low, high = share.interval
        return cls(count=share.count, total=share.total, low=low, high=high)


class ChangedPictureBody(BaseModel):
    """A kept picture whose verdict changes, or that loses a confirmed defect."""

    id: str = Field(description="Id of the kept picture.", examples=["8f14e45fceea167a"])
    name: str = Field(description="Name of its file; may be empty.", examples=["lid-0041.png"])
    review: str = Field(description="Label of its review; empty: nobody has reviewed it.", examples=["harmless"])
    served_score: FiniteFloat = Field(description="Normalised score of the served version.", examples=[0.53])
    candidate_score: FiniteFloat = Field(description="Normalised score of the candidate.", examples=[0.41])
    lost: int = Field(description="Confirmed defects that only the served version finds.", examples=[0])

    @classmethod
    def of(cls, found: ChangedPicture) -> Self:
        return cls(
            id=found.id,
            name=found.name,
            review=found.review,
            served_score=found.served_score,
            candidate_score=found.candidate_score,
            lost=found.lost,
        )


class DoubtfulPictureBody(BaseModel):
    """A kept picture that a second person must look at."""

    id: str = Field(description="Id of the kept picture.", examples=["8f14e45fceea167a"])
    name: str = Field(description="Name of its file; may be empty.", examples=["lid-0041.png"])
    reviewer: str = Field(description="Name of the reviewer's API key; empty: not known.", examples=["lena"])
    doubt: Doubt = Field(
        description="`resembles`: it was called harmless, and resembles a confirmed defect of the picture `like`. "
        "`far`: it was called harmless, and is far over the threshold, as others are. `unreviewed`: nobody has "
        "reviewed it, it is far over the threshold, and the candidate calls it normal.",
        examples=["resembles"],
    )
    score: FiniteFloat = Field(description="Normalised score of the served version.", examples=[0.82])
    like: str = Field(description="Id of the picture with the defect that it resembles; or empty.", examples=[""])

    @classmethod
    def of(cls, found: DoubtfulPicture) -> Self:
        return cls(
            id=found.id,
            name=found.name,
            reviewer=found.reviewer,
            doubt=found.doubt,
            score=found.score,
            like=found.like,
        )


class MarkedKindBody(BaseModel):
    """Marks of a kind that were drawn into good pictures."""

    kind: str = Field(description="Kind of mark.", examples=["scratch"])
    drawn: int = Field(description="Number of marks.", examples=[24])
    found: int = Field(description="Marks that the served version finds.", examples=[17])
    lost: int = Field(description="Of these, those that the candidate does not find.", examples=[0])
    clear: int = Field(description="Marks that the served version finds clearly.", examples=[11])
    clear_lost: int = Field(description="Of these, those that the candidate does not find.", examples=[0])

    @classmethod
    def of(cls, found: MarkedKind) -> Self:
        return cls(
            kind=found.kind,
            drawn=found.drawn,
            found=found.found,
            lost=found.lost,
            clear=found.clear,
            clear_lost=found.clear_lost,
        )


class ProofBody(BaseModel):
    """What the replay of a candidate has shown, beside the served version."""

    result: ProofResult = Field(
        description="`sound`: nothing speaks against the candidate. `second_word`: a second person must look at "
        "`doubts` before it serves. `refused`: it must not serve, see `reasons`.",
        examples=["sound"],
    )
    sentences: list[str] = Field(
        description="The proof in words, the result first.", examples=[["0 of 41 confirmed defects lost"]]
    )
    reasons: list[str] = Field(description="Why the candidate is refused.", examples=[[]])
    served: int = Field(description="Version that served.", examples=[1])
    reviewed: int = Field(description="Reviewed pictures that were replayed.", examples=[96])
    unreviewed: int = Field(description="Other kept pictures that were replayed.", examples=[104])
    unread: list[str] = Field(description="Names of pictures that could not be read, at most 200.", examples=[[]])
    vanished: int = Field(description="False alarms of the served version that vanish.", examples=[3])
    remaining: int = Field(description="False alarms that remain.", examples=[2])
    raised: int = Field(description="Harmless pictures that only the candidate calls anomalous.", examples=[0])
    lost: ShareBody = Field(description="Confirmed defects that are lost, of those that the served version finds.")
    gained: ShareBody = Field(description="Confirmed defects that are found, of those that the served version misses.")
    more_alarms: int = Field(description="Pictures that only the candidate calls anomalous.", examples=[0])
    fewer_alarms: int = Field(description="Pictures that only the served version calls anomalous.", examples=[5])
    p_value: FiniteFloat = Field(description="p-value of McNemar's exact test for these two numbers.", examples=[0.06])
    false_alarms: ShareBody | None = Field(
        description="Normal pictures over the candidate's threshold, each measured by a model that had not learned it; "
        "null: not known."
    )
    bound: FiniteFloat | None = Field(
        description="The candidate's rate of false alarms is not higher, with 95 % confidence; null: not known.",
        examples=[0.071],
    )
    golden_change: FiniteFloat = Field(
        description="Largest change of the golden sample's map, as a share of its largest value.", examples=[0.02]
    )
    marks: list[MarkedKindBody] = Field(description="Marks that were drawn into good pictures, by kinds.")
    changed: int = Field(description="Pictures whose verdict changes, or that lose a defect.", examples=[5])
    changes: list[ChangedPictureBody] = Field(description="At most 200 of them, the nearest to the threshold first.")
    doubtful: int = Field(description="Pictures that a second person must look at.", examples=[0])
    doubts: list[DoubtfulPictureBody] = Field(description="At most 200 of them.")

    @classmethod
    def of(cls, proof: Proof) -> Self:
        return cls(
            result=proof.result,
            sentences=sentences_of(proof),
            reasons=list(proof.reasons),
            served=proof.served,
            reviewed=proof.reviewed,
            unreviewed=proof.unreviewed,
            unread=list(proof.unread),
            vanished=proof.vanished,
            remaining=proof.remaining,
            raised=proof.raised,
            lost=ShareBody.of(proof.lost),
            gained=ShareBody.of(proof.gained),
            more_alarms=proof.more_alarms,
            fewer_alarms=proof.fewer_alarms,
            p_value=proof.p_value,
            false_alarms=None if proof.held_out is None else ShareBody.of(proof.held_out),
            bound=proof.bound,
            golden_change=proof.golden_change,
            marks=[MarkedKindBody.of(each) for each in proof.marks],
            changed=proof.changed,
            changes=[ChangedPictureBody.of(each) for each in proof.changes],
            doubtful=proof.doubtful,
            doubts=[DoubtfulPictureBody.of(each) for each in proof.doubts],
        )


class TeachingBody(BaseModel):
    """A teaching: a model learns from its reviewed pictures, and the candidate is proved."""

    id: str = Field(description="Id of the teaching.", examples=["8f14e45fceea167a"])
    state: TeachingState = Field(
        description="`running`; `proposed`: the candidate is a version that does not serve, and waits for a decision; "
        "`served`; `rolled_back`; `declined`: a person refused it, and its version was deleted; `refused`: the proof "
        "refused it, and no version was written; `failed`; `cancelled`.",
        examples=["proposed"],
    )
    model: str = Field(description="Name of the model.", examples=["lid"])
    served: int | None = Field(description="Version with which the candidate was compared.", examples=[1])
    version: int | None = Field(description="Version of the candidate, once it is written.", examples=[2])
    stage: str = Field(description="Stage of the work; empty until it has begun.", examples=["replay"])
    done: int = Field(description="Units of the stage that are done.", examples=[117])
    total: int = Field(description="Units of the stage in all; 0: not known yet.", examples=[200])
    seconds: FiniteFloat = Field(description="Time that learning took, without the replay.", examples=[2.4])
    notes: list[str] = Field(description="Sentences about what was learned, and what was left out.", examples=[[]])
    proof: ProofBody | None = Field(description="What the replay has shown, once it has ended.")
    by: str = Field(description="API key, program or rule that decided; empty: nobody has.", examples=["quality"])
    created: datetime = Field(description="Time at which the teaching was made.", examples=["2026-11-28T09:30:00Z"])
    changed: datetime = Field(description="Time of the last change of its state.", examples=["2026-11-28T09:30:20Z"])
    error: TrainingErrorBody | None = Field(description="Why the teaching failed.", examples=[None])

    @classmethod
    def of(cls, teaching: Teaching) -> Self:
        proof = teaching.proof
        return cls(
            id=teaching.id,
            state=teaching.state,
            model=teaching.model,
            served=teaching.served,
            version=teaching.version,
            stage=teaching.stage,
            done=teaching.done,
            total=teaching.total,
            seconds=teaching.seconds,
            notes=list(teaching.notes),
            proof=None if proof is None else ProofBody.of(proof),
            by=teaching.by,
            created=datetime.fromtimestamp(round(teaching.created_s), UTC),
            changed=datetime.fromtimestamp(round(teaching.changed_s), UTC),
            error=TrainingErrorBody(code=teaching.code, message=teaching.message) if teaching.code else None,
        )


class TeachingListBody(BaseModel):
    """The newest teachings, the newest first."""

    teachings: list[TeachingBody] = Field(description="The teachings.")
