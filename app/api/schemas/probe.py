"""The bodies of probes."""

from pydantic import BaseModel, Field


class LivenessBody(BaseModel):
    """The process answers."""

    alive: bool


class ReadinessBody(BaseModel):
    """Whether pictures can be answered."""

    ready: bool
    reasons: list[str] = Field(description="Why not.", examples=[["models are still being loaded"]])
