"""The bodies of the comparison of served pictures with those of the training."""

from typing import Literal, Self

from pydantic import BaseModel, Field, FiniteFloat

from app.artifacts import Artifact
from app.drift import (
    LEAST_PICTURES,
    MEAN_PICTURES,
    Baseline,
    CameraChanged,
    Change,
    Health,
    Monitor,
    State,
    position_of,
)

CAMERA_CHANGED: Literal["tessera.camera_changed.v1"] = "tessera.camera_changed.v1"
CAUSES = {
    Change.out_of_focus: "out of focus",
    Change.light: "light",
    Change.camera_moved: "camera moved",
    Change.dirt: "dirt in one place",
    Change.surface: "surface of the parts",
}


class PositionBody(BaseModel):
    """A position in pictures, on the grid of `positions`."""

    row: int = Field(description="Row, from 0 at the top.", examples=[0])
    column: int = Field(description="Column, from 0 at the left.", examples=[2])


class PositionEvidenceBody(PositionBody):
    """A position, and the evidence that its content has changed."""

    evidence: FiniteFloat = Field(description="Largest evidence of the statistics of the position.", examples=[4.2])


class GridBody(BaseModel):
    """The grid of positions: about one for each tile, at most 8 x 8."""

    rows: int = Field(description="Number of rows.", examples=[5])
    columns: int = Field(description="Number of columns.", examples=[2])


class CameraChangeBody(BaseModel):
    """An alarm."""

    changes: list[Change] = Field(description="What has changed, the most certain cause first.", examples=[["light"]])
    sudden: bool = Field(description="Whether the change came at once. False: slowly, such as by an ageing lamp.")
    brighter: bool | None = Field(description="Whether pictures became brighter; null without a change of light.")
    positions: list[PositionBody] = Field(description="Where `dirt` is; empty for changes of the whole picture.")
    picture: int = Field(description="Number of the picture at which the cause was named.", examples=[1234])
    since: int = Field(description="Most likely number of the picture at which the change began.", examples=[1210])

    @classmethod
    def of(cls, event: CameraChanged) -> Self:
        """The body of an event."""
        return cls(
            changes=list(event.changes),
            sudden=event.sudden,
            brighter=event.brighter,
            positions=[PositionBody(row=row, column=column) for row, column in event.positions],
            picture=event.picture,
            since=event.since,
        )


class CameraChangedBody(BaseModel):
    """An alarm as sinks get it."""

    type: Literal["tessera.camera_changed.v1"] = Field(
        default=CAMERA_CHANGED,
        description="Name of this schema. Fields may be added to a version; any other change makes a new one.",
        examples=[CAMERA_CHANGED],
    )
    id: str = Field(description="Id of this event, the same for every delivery.", examples=["5f0c1b1e" * 4])
    time: str = Field(
        description="Time of the alarm: UTC, ISO 8601, with milliseconds.", examples=["2026-11-28T09:30:00.250Z"]
    )
    model: str = Field(description="Name of the model.", examples=["demo"])
    version: int = Field(description="Version of the model.", examples=[1])
    change: CameraChangeBody = Field(description="What has changed.")


class CameraStatisticBody(BaseModel):
    """A statistic of whole pictures."""

    name: str = Field(description="Name of the statistic; docs/operations.md explains it.", examples=["sharpness"])
    low: FiniteFloat = Field(description="5 % of the pictures of the training are lower.", examples=[-1.31])
    high: FiniteFloat = Field(description="5 % of the pictures of the training are higher.", examples=[-1.27])
    evidence: FiniteFloat = Field(description="Present evidence of this statistic alone.", examples=[0.8])
    history: list[FiniteFloat] = Field(description="Means of served pictures, one for each of `pictures_at`.")


class ModelHealthBody(BaseModel):
    """Whether the served pictures are like those of the training."""

    model: str = Field(description="Name of the model.", examples=["demo"])
    version: int = Field(description="Version of the model.", examples=[1])
    state: State = Field(
        description="`same` or `changed`; `no_baseline` if the version has no statistics of its training.",
        examples=["same"],
    )
    pictures: int = Field(description="Pictures compared since the start of the process.", examples=[2000])
    evidence: FiniteFloat = Field(description="Present evidence of a change; its mean grows by 1 a picture.")
    threshold: FiniteFloat = Field(
        description="Evidence that raises an alarm. Without a change, the mean number of pictures up to an alarm is at "
        "least as large.",
        examples=[MEAN_PICTURES],
    )
    alarms: int = Field(description="Number of alarms since the start of the process.", examples=[0])
    naming: int = Field(
        description="While `evidence` has raised an alarm whose cause is not named yet: the number of pictures after "
        "which it is named, and counts in `alarms` if it is new. Otherwise 0.",
        examples=[0],
    )
    message: str = Field(
        description="The result in a sentence for people, with what to do. Programs should read the other fields.",
        examples=["2,000 pictures compared with the training of version 1: no change."],
    )
    last: CameraChangeBody | None = Field(description="The last alarm; null: there was none.")
    grid: GridBody | None = Field(description="The grid of positions; null without a baseline.")
    positions: list[PositionEvidenceBody] = Field(description="The positions, row by row.")
    pictures_at: list[int] = Field(description="Number of the last picture of each point of the histories.")
    evidence_history: list[FiniteFloat] = Field(description="Largest evidence, one for each of `pictures_at`.")
    statistics: list[CameraStatisticBody] = Field(description="The statistics of whole pictures.")

    @classmethod
    def of(cls, artifact: Artifact, monitor: Monitor | None) -> Self:
        """The body of a version; without a monitor that of a version without a baseline."""
        health = Health() if monitor is None else monitor.health()
        baseline = None if monitor is None else monitor.baseline
        return cls(
            model=artifact.name,
            version=artifact.version,
            state=health.state,
            pictures=health.pictures,
            evidence=health.evidence,
            threshold=MEAN_PICTURES,
            alarms=health.alarms,
            naming=health.naming,
            message=_message(artifact, health),
            last=None if health.last is None else CameraChangeBody.of(health.last),
            grid=None if baseline is None else GridBody(rows=baseline.grid[0], columns=baseline.grid[1]),
            positions=_positions(health),
            pictures_at=[point.picture for point in health.points],
            evidence_history=[point.evidence for point in health.points],
            statistics=[] if baseline is None else _statistics(health, baseline),
        )


def _message(artifact: Artifact, health: Health) -> str:
    if health.state is State.no_baseline:
        return (
            f"Version {artifact.version} has no statistics of the pictures of its training, because it was imported, "
            f"trained on fewer than {LEAST_PICTURES} pictures, or trained by a Tessera before 0.2.0. Train it again, "
            f"or run tessera calibrate --name {artifact.name} --data Folder --data.root GOOD_PICTURES, which writes a "
            "version with the statistics of these pictures."
        )
    compared = f"{health.pictures:,} picture{'s' * (health.pictures != 1)} compared with the training of version "
    compared += f"{artifact.version}"
    if health.naming and health.state is State.same:
        more = f"{health.naming} more picture{'s' * (health.naming != 1)}"
        return f"{compared}: they differ. What has changed is named, and counts as an alarm, after {more}."
    if health.state is State.same or health.last is None:
        return f"{compared}: no change."
    return f"{compared}: {_described(health.last)}."


def _described(last: CameraChanged) -> str:
    words = CAUSES.copy()
    if last.brighter is not None:
        words[Change.light] += " (brighter)" if last.brighter else " (darker)"
    if last.positions:
        where = "; ".join(f"row {row + 1}, column {column + 1}" for row, column in last.positions)
        words[Change.dirt] += f" ({where})"
    causes = ", ".join(words[change] for change in last.changes)
    return f"changed {'suddenly' if last.sudden else 'slowly'} since picture {last.since:,}: {causes}"


def _positions(health: Health) -> list[PositionEvidenceBody]:
    highest: dict[tuple[int, int], float] = {}
    for name, evidence in health.parts.items():
        place = position_of(name)
        if place is not None:
            highest[place] = max(evidence, highest.get(place, 0.0))
    return [
        PositionEvidenceBody(row=row, column=column, evidence=highest[row, column]) for row, column in sorted(highest)
    ]


def _statistics(health: Health, baseline: Baseline) -> list[CameraStatisticBody]:
    bodies = []
    for number, name in enumerate(health.names):
        low, high = baseline.streams[name].band()
        history = [float(point.means[number]) for point in health.points]
        bodies.append(CameraStatisticBody(name=name, low=low, high=high, evidence=health.parts[name], history=history))
    return bodies
