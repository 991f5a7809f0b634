"""The bodies that tell of the server."""

from typing import Self

from pydantic import BaseModel, Field

from app.service import ServedModel, VersionStatus


class ServerLiveBody(BaseModel):
    """The server answers."""

    live: bool = Field(description="Always true.", examples=[True])


class ServerReadyBody(BaseModel):
    """Pictures are answered."""

    ready: bool = Field(description="Always true: else there is an error.", examples=[True])


class ServerMetadataBody(BaseModel):
    """What serves."""

    name: str = Field(description="The program.", examples=["tessera"])
    version: str = Field(description="Its version.", examples=["0.1.0"])
    extensions: list[str] = Field(
        description="The protocol's extensions that are supported.", examples=[["binary_tensor_data"]]
    )


class IndexRequestBody(BaseModel):
    """Which versions are asked for."""

    ready: bool = Field(default=False, strict=True, description="Only those that are served.", examples=[True])


class IndexEntryBody(BaseModel):
    """A version of a model in the repository."""

    name: str = Field(description="The model.", examples=["demo"])
    version: str = Field(description="Its version, as text.", examples=["1"])
    state: str = Field(description="READY, LOADING, or UNAVAILABLE.", examples=["READY"])
    reason: str = Field(description="Why it is not available; else empty.", examples=[""])

    @classmethod
    def of(cls, model: ServedModel, status: VersionStatus) -> Self:
        """The entry of a version."""
        state = {"ready": "READY", "loading": "LOADING", "failed": "UNAVAILABLE"}[status.state]
        reason = "" if status.error is None else str(status.error)
        return cls(name=model.name, version=str(status.entry.version), state=state, reason=reason)
