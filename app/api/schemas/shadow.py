"""The bodies of candidates that run beside served versions."""

from math import exp
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat

from app.api.schemas.times import UtcTime
from app.artifacts import ERROR_RATE, MOST_PICTURES, PICTURES, Decision, Difference
from app.scoring import difference_interval, mcnemar
from app.service.shadow import ShadowState, ShadowStatus


class ShadowRequestBody(BaseModel):
    """Which version is compared with the served one, on how many pictures."""

    model_config = ConfigDict(extra="forbid")

    version: int = Field(ge=1, description="The candidate: a loaded version that does not serve.", examples=[2])
    share: FiniteFloat = Field(
        default=1.0,
        gt=0,
        le=1,
        description="Share of the requests whose pictures the candidate predicts, too. It is drawn by `X-Request-ID`.",
        examples=[0.1],
    )
    pictures: int = Field(
        default=PICTURES,
        ge=1,
        le=MOST_PICTURES,
        description="Number of compared pictures after which the comparison ends without a proven difference.",
        examples=[PICTURES],
    )


class DifferenceBody(BaseModel):
    """A picture on which the verdicts differ."""

    time: UtcTime = Field(
        description="Time of the comparison, UTC, ISO 8601.", examples=["2026-03-01T09:30:00.250+00:00"]
    )
    request_id: str = Field(description="`X-Request-ID` of the request.", examples=["3b0c6f"])
    served_score: FiniteFloat = Field(description="Normalised score of the served version.", examples=[0.46])
    candidate_score: FiniteFloat = Field(description="Normalised score of the candidate.", examples=[0.53])
    served_label: str = Field(description="Verdict of the served version.", examples=["normal"])
    candidate_label: str = Field(description="Verdict of the candidate.", examples=["anomalous"])

    @classmethod
    def of(cls, found: Difference) -> Self:
        return cls(time=found.at, **found.model_dump(exclude={"at"}))


class ShadowBody(BaseModel):
    """A comparison of a candidate with the version that served when it began."""

    version: int = Field(description="The candidate.", examples=[2])
    served: int = Field(description="The version that served when the comparison began.", examples=[1])
    share: FiniteFloat = Field(description="Share of the requests that are compared.", examples=[0.1])
    pictures: int = Field(description="Number of compared pictures that ends the comparison.", examples=[PICTURES])
    started: UtcTime = Field(
        description="Time of the start, UTC, ISO 8601.", examples=["2026-03-01T08:00:00.000+00:00"]
    )
    by: str = Field(description="User, or name of the API key, who started it.", examples=["quality"])
    state: ShadowState = Field(
        description="`running`: pictures are compared. `paused`: the candidate is not loaded, or another version "
        "serves now. `decided`: there is a decision. `stopped`: an operator stopped it.",
        examples=["running"],
    )
    reason: str | None = Field(description="Why the comparison is paused; else null.", examples=[None])
    compared: int = Field(description="Pictures that both versions judged.", examples=[812])
    candidate_only: int = Field(description="Of these, those that only the candidate calls anomalous.", examples=[9])
    served_only: int = Field(description="Of these, those that only the served version calls anomalous.", examples=[4])
    dropped: int = Field(
        description="Pictures of the share that the candidate did not judge, because there was no room.", examples=[3]
    )
    p_value: FiniteFloat = Field(
        description="Exact two-sided p-value of McNemar's test. It holds for one look at a number of pictures that was "
        "chosen before, such as `pictures`.",
        examples=[0.2668],
    )
    sequential_p_value: FiniteFloat = Field(
        description="p-value that holds however often one looks: the reciprocal of the highest evidence until now.",
        examples=[1.0],
    )
    difference_low: FiniteFloat | None = Field(
        description="Lower end of the 95 % interval (Tango) of the candidate's share of anomalous pictures less the "
        "served version's; null without compared pictures.",
        examples=[-0.0028],
    )
    difference_high: FiniteFloat | None = Field(description="Upper end of that interval.", examples=[0.0163])
    decision: Decision = Field(
        description="Whether the candidate is proved to have more or fewer alarms than the served version "
        f"(`sequential_p_value` at most {ERROR_RATE:g}), or `pictures` were compared without such a proof "
        "(`no_difference`). Nothing is compared after a decision.",
        examples=["open"],
    )
    decided: UtcTime | None = Field(description="Time of the decision, UTC, ISO 8601; null: open.", examples=[None])
    differences: list[DifferenceBody] = Field(
        description="The latest pictures on which the verdicts differ, at most 50, the latest first."
    )

    @classmethod
    def of(cls, status: ShadowStatus) -> Self:
        trial, counts, tally = status.trial, status.counts, status.counts.tally
        only = tally.served_only, tally.candidate_only
        low, high = difference_interval(*only, tally.compared) if tally.compared else (None, None)
        return cls(
            **trial.model_dump(include={"version", "served", "share", "pictures", "started", "by"}),
            **tally.model_dump(include={"compared", "candidate_only", "served_only", "dropped"}),
            state=status.state,
            reason=status.reason,
            p_value=mcnemar(*only),
            sequential_p_value=exp(-counts.most_evidence),
            difference_low=low,
            difference_high=high,
            decision=counts.decision,
            decided=counts.decided,
            differences=[DifferenceBody.of(each) for each in reversed(tally.latest)],
        )


class ModelShadowBody(BaseModel):
    """The latest comparison of a model."""

    shadow: ShadowBody | None = Field(description="The comparison; null: there was none.")

    @classmethod
    def of(cls, status: ShadowStatus | None) -> Self:
        return cls(shadow=None if status is None else ShadowBody.of(status))
