"""The bodies that describe the server and its repository."""

from typing import Self

from pydantic import BaseModel, Field

from app.service import ServedModel, VersionState, VersionStatus

_STATES = {VersionState.ready: "READY", VersionState.loading: "LOADING", VersionState.failed: "UNAVAILABLE"}


class ServerLiveBody(BaseModel):
    """Liveness of the server."""

    live: bool = Field(description="Always true: a server that is not live does not respond.", examples=[True])


class ServerReadyBody(BaseModel):
    """Readiness of the server."""

    ready: bool = Field(description="Always true: a server that is not ready gives an error.", examples=[True])


class ServerMetadataBody(BaseModel):
    """Name, version and extensions of the server."""

    name: str = Field(description="Name of the program.", examples=["tessera"])
    version: str = Field(description="Version of the program.", examples=["0.2.0"])
    extensions: list[str] = Field(
        description="Protocol extensions that the server supports.", examples=[["binary_tensor_data"]]
    )


class IndexRequestBody(BaseModel):
    """The filter of the repository index."""

    ready: bool = Field(default=False, strict=True, description="Return only served versions.", examples=[True])


class IndexEntryBody(BaseModel):
    """A version of a model in the repository."""

    name: str = Field(description="Name of the model.", examples=["demo"])
    version: str = Field(description="Version of the model, as a string.", examples=["1"])
    state: str = Field(description="State of the version: READY, LOADING or UNAVAILABLE.", examples=["READY"])
    reason: str = Field(description="Why the files of the version are refused; else empty.", examples=[""])

    @classmethod
    def of(cls, model: ServedModel, status: VersionStatus) -> Self:
        reason = "" if status.error is None else str(status.error)
        return cls(name=model.name, version=str(status.entry.version), state=_STATES[status.state], reason=reason)
