"""The bodies of probes."""

from pydantic import BaseModel, Field


class LivenessBody(BaseModel):
    """Liveness of the process."""

    alive: bool = Field(description="Whether the process can go on; false: restart it.", examples=[True])
    reasons: list[str] | None = Field(
        default=None, description="Reasons why only a new process can help; absent if there are none."
    )


class ReadinessBody(BaseModel):
    """Readiness of the server."""

    ready: bool = Field(description="Whether pictures can be predicted.", examples=[True])
    reasons: list[str] = Field(description="Reasons why the server is not ready; empty if it is ready.", examples=[[]])
    notes: list[str] | None = Field(
        default=None,
        description="What is wrong although pictures can be predicted, such as a model that answers no request without "
        "a version, or a record of verdicts that cannot be written; absent if there is nothing.",
        examples=[None],
    )
