"""The bodies of responses to a reload."""

from typing import Self

from pydantic import BaseModel, Field

from app.api.schemas.refusal import ErrorBody
from app.service import ReloadedModel


class FailedVersionBody(BaseModel):
    """A version whose files are refused."""

    version: int = Field(description="Number of the version.", examples=[3])
    error: ErrorBody = Field(description="Reason for the refusal.")


class ReloadedModelBody(BaseModel):
    """The served versions of a model after a scan of the repository, and the changes."""

    name: str = Field(
        description="Name of the model; if the request names `default`, the name of the model that this means.",
        examples=["demo"],
    )
    newest: int | None = Field(
        description="Version that is used unless a request names one; null if no version is served.", examples=[2]
    )
    ready: list[int] = Field(description="Versions that are served now.", examples=[[1, 2]])
    added: list[int] = Field(description="Versions in `ready` that were not served before.", examples=[[2]])
    replaced: list[int] = Field(description="Versions in `ready` whose content has changed.", examples=[[]])
    removed: list[int] = Field(description="Versions that are no longer served.", examples=[[]])
    failed: list[FailedVersionBody] = Field(
        description="Versions whose files are refused. If a version is also in `ready`, the content that was loaded "
        "before is still served.",
        examples=[[]],
    )

    @classmethod
    def of(cls, model: ReloadedModel) -> Self:
        return cls(
            name=model.name,
            newest=model.live,
            ready=list(model.ready),
            added=list(model.added),
            replaced=list(model.replaced),
            removed=list(model.removed),
            failed=[FailedVersionBody(version=version, error=ErrorBody.of(error)) for version, error in model.failed],
        )


class ReplicaReloadBody(BaseModel):
    """What a replica of the application found in its scan."""

    replica: str = Field(description="Name of the replica.", examples=["b0x2k9qd"])
    answered: bool = Field(
        description="Whether the replica has finished its scan. If not, it may serve other versions than the others "
        "until its next scan."
    )
    problem: str | None = Field(
        default=None, description="Why the replica did not finish its scan; null if it did.", examples=[None]
    )
    models: list[ReloadedModelBody] = Field(default=[], description="The models that it scanned, sorted by name.")


_REPLICAS = "On a cluster: what each replica of the application found, sorted by its name; else empty."


class ModelReloadBody(ReloadedModelBody):
    """The served versions of a model after a scan of the repository, and the changes."""

    replicas: list[ReplicaReloadBody] = Field(default=[], description=_REPLICAS, examples=[[]])


class ReloadBody(BaseModel):
    """The served versions of all models after a scan, and the changes; removed models are included."""

    models: list[ReloadedModelBody] = Field(description="Models, sorted by name.")
    replicas: list[ReplicaReloadBody] = Field(default=[], description=_REPLICAS, examples=[[]])
