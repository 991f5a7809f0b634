"""What is set for a cluster in addition to the settings of the server."""

from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from app.service.fan_out import LEAST_TILES


class EngineArguments(BaseModel):
    """The engines of a server, as a part of the arguments of its application in a Serve configuration."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    replicas: int = Field(
        default=1, ge=1, le=10_000, description="The number of engines; with `most_replicas`: the least number."
    )
    most_replicas: int | None = Field(
        default=None,
        ge=1,
        le=10_000,
        description="The largest number of engines. If given, their number follows the blocks in flight.",
    )
    processors: float = Field(
        default=1.0, ge=0.01, allow_inf_nan=False, description="The processors that are reserved for an engine."
    )
    gpus: float = Field(default=0.0, ge=0, allow_inf_nan=False, description="The GPUs that are reserved for an engine.")
    own: bool = Field(default=False, description="Whether the devices of the server measure blocks, too.")
    least_tiles: int = Field(
        default=LEAST_TILES, ge=1, description="The number of tiles from which on a picture is divided."
    )

    @model_validator(mode="after")
    def _is_range(self) -> Self:
        if self.most_replicas is not None and self.most_replicas < self.replicas:
            raise ValueError(
                f"most_replicas of the engines is {self.most_replicas}, and replicas, the least number, is "
                f"{self.replicas}; give at least that"
            )
        return self


class Arguments(BaseModel):
    """The arguments of the application in a Serve configuration."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    replicas: int = Field(
        default=1, ge=1, le=10_000, description="The number of replicas; with `most_replicas`: the least number."
    )
    most_replicas: int | None = Field(
        default=None,
        ge=1,
        le=10_000,
        description="The largest number of replicas. If given, their number follows the queue, in tiles.",
    )
    tiles_per_replica: float = Field(
        default=64.0,
        gt=0,
        allow_inf_nan=False,
        description="With `most_replicas`: the number of tiles that wait or run for each replica.",
    )
    more_after_s: float = Field(
        default=15.0,
        ge=0,
        allow_inf_nan=False,
        description="With `most_replicas`: how long more replicas must be needed before they start, in seconds.",
    )
    fewer_after_s: float = Field(
        default=600.0,
        ge=0,
        allow_inf_nan=False,
        description="With `most_replicas`: how long fewer replicas must suffice before some end, in seconds.",
    )
    processors: float = Field(
        default=1.0, ge=0.01, allow_inf_nan=False, description="The processors that are reserved for a replica."
    )
    gpus: float = Field(
        default=0.0,
        ge=0,
        allow_inf_nan=False,
        description="The GPUs that are reserved for a replica; 0.5: two replicas share one.",
    )
    surge_percent: int = Field(
        default=0,
        ge=0,
        le=100,
        description="The share of additional replicas that an update may start before it ends old ones, in percent; "
        "the cluster needs room for them. 0: old ones end first.",
    )
    reload_timeout_s: float = Field(
        default=300.0,
        gt=0,
        allow_inf_nan=False,
        description="How long a reload waits for each replica, in seconds.",
    )
    engines: EngineArguments | None = Field(
        default=None,
        description="The engines among which replicas divide large pictures; by default each computes alone.",
    )
    settings: dict[str, object] = Field(
        default={}, description="The settings of the server, such as models_dir; others come from TESSERA_<SETTING>."
    )

    @property
    def most(self) -> int:
        """The largest number of replicas."""
        return self.replicas if self.most_replicas is None else self.most_replicas

    @model_validator(mode="after")
    def _is_range(self) -> Self:
        if self.most < self.replicas:
            raise ValueError(
                f"most_replicas is {self.most}, and replicas, the least number, is {self.replicas}; give at least that"
            )
        return self
