"""Trainings: what the server answers."""

from datetime import UTC, datetime
from typing import Self

from pydantic import BaseModel, Field

from app.trainings import Training, TrainingState


class TrainingErrorBody(BaseModel):
    """Why a training failed."""

    code: str = Field(description="Kind of problem, as in problem details.", examples=["invalid_dataset"])
    message: str = Field(description="What was wrong, and what would work.", examples=["a.png cannot be read"])


class TrainingBody(BaseModel):
    """A training of a first model."""

    id: str = Field(description="Id of the training.", examples=["8f14e45fceea167a"])
    state: TrainingState = Field(
        description="`running`; `done`: the model is written and served; `failed`; `cancelled`.", examples=["done"]
    )
    model: str = Field(description="Name of the model.", examples=["lid"])
    version: int | None = Field(description="Version of the model, once it is written.", examples=[1])
    pictures: int = Field(description="Number of pictures that it is trained on.", examples=[10])
    stage: str = Field(description="Stage of the work; empty until it has begun.", examples=["calibration"])
    done: int = Field(description="Units of the stage that are done.", examples=[10])
    total: int = Field(description="Units of the stage in all; 0: not known yet.", examples=[10])
    caution: str = Field(
        description="Which rate of false alarms so few pictures cannot exclude, with 95 % confidence; empty until the "
        "model is written.",
        examples=["with 10 pictures, up to 26 % false alarms cannot be excluded"],
    )
    notes: list[str] = Field(description="Sentences about the pictures, such as copies among them.", examples=[[]])
    unlike: list[str] = Field(
        description="Names of the pictures that look least like the rest: they may show defects.", examples=[["b.png"]]
    )
    created: datetime = Field(description="Time at which the training was made.", examples=["2026-11-28T09:30:00Z"])
    changed: datetime = Field(description="Time of the last change of its state.", examples=["2026-11-28T09:30:20Z"])
    error: TrainingErrorBody | None = Field(description="Why the training failed.", examples=[None])

    @classmethod
    def of(cls, training: Training) -> Self:
        error = TrainingErrorBody(code=training.code, message=training.message) if training.code else None
        return cls(
            id=training.id,
            state=training.state,
            model=training.model,
            version=training.version,
            pictures=training.pictures,
            stage=training.stage,
            done=training.done,
            total=training.total,
            caution=training.caution,
            notes=list(training.notes),
            unlike=list(training.unlike),
            created=datetime.fromtimestamp(round(training.created_s), UTC),
            changed=datetime.fromtimestamp(round(training.changed_s), UTC),
            error=error,
        )


class TrainingListBody(BaseModel):
    """The newest trainings, the newest first."""

    trainings: list[TrainingBody] = Field(description="The trainings.")
