"""The bodies of probes."""

from pydantic import BaseModel, Field


class LivenessBody(BaseModel):
    """The process answers."""

    alive: bool = Field(description="Always true: a process that does not live does not answer.", examples=[True])


class ReadinessBody(BaseModel):
    """Whether pictures can be answered."""

    ready: bool = Field(description="Whether they can.", examples=[True])
    reasons: list[str] = Field(description="Why not; empty if they can.", examples=[[]])
