"""The bodies of probes."""

from pydantic import BaseModel, Field


class LivenessBody(BaseModel):
    """Liveness of the process."""

    alive: bool = Field(description="Always true: a process that is not alive does not respond.", examples=[True])


class ReadinessBody(BaseModel):
    """Readiness of the server."""

    ready: bool = Field(description="Whether pictures can be predicted.", examples=[True])
    reasons: list[str] = Field(description="Reasons why the server is not ready; empty if it is ready.", examples=[[]])
