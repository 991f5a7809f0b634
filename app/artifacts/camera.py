"""The baseline of a model's pictures in the manifest."""

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from app.drift import MOST_EDGES, MOST_POSITIONS, WHOLE, Baseline, Stream, position_names
from app.tiling import Size

Cells = Annotated[int, Field(ge=1, le=8)]


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class StreamRecord(_Record):
    """The distribution of one statistic: its values at some ranks among the pictures, the smallest first."""

    pictures: int = Field(ge=1, le=10**6)
    ranks: tuple[int, ...] = Field(min_length=1, max_length=MOST_EDGES)
    values: tuple[float, ...] = Field(min_length=1, max_length=MOST_EDGES)

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        steps = (1, *self.ranks, self.pictures)
        if len(self.ranks) != len(self.values) or sorted(set(self.ranks)) != list(self.ranks):
            raise ValueError("ranks must rise, one for each value")
        if sorted(steps) != list(steps) or sorted(self.values) != list(self.values):
            raise ValueError("ranks must be 1 to the number of pictures, and values must rise")
        return self


class BaselineRecord(_Record):
    """The statistics of normal pictures, by which a server recognises that the camera has changed."""

    grid: tuple[Cells, Cells] = Field(description="rows and columns of positions")
    streams: dict[str, StreamRecord] = Field(min_length=1, max_length=len(WHOLE) + 3 * MOST_POSITIONS)

    @model_validator(mode="after")
    def _known(self) -> Self:
        unknown = self.streams.keys() - WHOLE.keys() - position_names(self.grid)
        if unknown:
            raise ValueError(f"{sorted(unknown)[0][:40]!r} is not a statistic of this Tessera")
        return self

    @classmethod
    def of(cls, baseline: Baseline) -> Self:
        """The record of a baseline."""
        streams = {
            name: StreamRecord(pictures=each.pictures, ranks=each.ranks, values=each.values)
            for name, each in baseline.streams.items()
        }
        return cls(grid=baseline.grid, streams=streams)

    def of_pictures_alone(self) -> Self | None:
        """The record without the statistics of maps and scores; None if it has no others."""
        streams = {
            name: each for name, each in self.streams.items() if name.partition("@")[0] not in ("score", "level")
        }
        return self.model_copy(update={"streams": streams}) if streams else None

    def build(self) -> Baseline:
        """The value that a monitor takes."""
        grid: Size = self.grid
        streams = {name: Stream(each.pictures, each.ranks, each.values) for name, each in self.streams.items()}
        return Baseline(grid, streams)
