"""The route that returns small copies of the pictures that a model was trained on."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Response
from pydantic import BaseModel

from app.api.dependencies import CatalogueDep, ModelName, Version
from app.api.loading import loaded
from app.api.openapi import BINARY, MODEL_PROBLEMS, Responses, problem_responses
from app.api.problem_codes import ProblemCode
from app.errors import NormalPictureNotFound

router = APIRouter(prefix="/v1/models", tags=["models"])
CACHED = "private, max-age=3600"
"""A version never changes. Shared caches must not keep pictures of a plant."""
_COPY: Responses = {
    200: {"description": "JPEG of at most 1024 x 1024 pixels.", "content": {"image/jpeg": {"schema": BINARY}}}
}


class CopyQuery(BaseModel):
    """The version of the model."""

    version: Version = None


@router.get(
    "/{model}/normal-pictures/{number}",
    response_class=Response,
    summary="A picture of the training",
    responses=_COPY
    | problem_responses(
        *MODEL_PROBLEMS,
        ProblemCode.VERSION_NOT_FOUND,
        ProblemCode.MODEL_LOADING,
        ProblemCode.NORMAL_PICTURE_NOT_FOUND,
    ),
    name="normal_picture",
)
async def normal_picture(
    model: ModelName,
    number: Annotated[
        int, Path(ge=0, description="Number of the picture, from `copy_url` of a prediction.", examples=[3])
    ],
    catalogue: CatalogueDep,
    query: Annotated[CopyQuery, Query()],
) -> Response:
    """Returns a small copy of a normal picture, to show what a region of a picture was compared with.

    `include=evidence` of a prediction has the paths (`copy_url`). The copy has the ratio of edges of the picture.
    """
    artifact, _ = await loaded(catalogue, model, query.version)
    copies = () if artifact.evidence is None else artifact.evidence.reduced
    found = copies[number] if number < len(copies) else None
    if found is None:
        kept = sum(each is not None for each in copies)
        raise NormalPictureNotFound(
            f"version {artifact.version} of {artifact.name!r} has no copy of picture {number}; it has {kept} copies, "
            "and a prediction with include=evidence has their paths"
        )
    return Response(found, media_type="image/jpeg", headers={"Cache-Control": CACHED})
