"""The bodies that tell what looking for models changed."""

from typing import Self

from pydantic import BaseModel, Field

from app.api.schemas.model import ErrorBody
from app.service import ReloadedModel


class FailedVersionBody(BaseModel):
    """A version whose files are refused."""

    version: int = Field(description="Its number.", examples=[3])
    error: ErrorBody = Field(description="Why.")


class ReloadedModelBody(BaseModel):
    """What is served of a model now, and what has changed since before."""

    name: str = Field(description="The model's own name, also where it was asked for as `default`.", examples=["demo"])
    newest: int | None = Field(
        description="The version that is served unless one is asked for; null if none is.", examples=[2]
    )
    ready: list[int] = Field(description="The versions that are served now.", examples=[[1, 2]])
    added: list[int] = Field(description="Those of them that were not before.", examples=[[2]])
    replaced: list[int] = Field(description="Those of them that have another content than before.", examples=[[]])
    removed: list[int] = Field(description="Versions that are no longer served.", examples=[[]])
    failed: list[FailedVersionBody] = Field(
        description="Versions whose files are refused. One that is in `ready`, too, is served as it was before.",
        examples=[[]],
    )

    @classmethod
    def of(cls, model: ReloadedModel) -> Self:
        """The body of what a look changed."""
        return cls(
            name=model.name,
            newest=model.newest,
            ready=list(model.ready),
            added=list(model.added),
            replaced=list(model.replaced),
            removed=list(model.removed),
            failed=[FailedVersionBody(version=version, error=ErrorBody.of(error)) for version, error in model.failed],
        )


class ReloadBody(BaseModel):
    """What is served of each model, and what has changed; models that are gone are among them."""

    models: list[ReloadedModelBody] = Field(description="By name.")
