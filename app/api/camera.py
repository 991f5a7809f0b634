"""The route that says whether the camera of a model is still the same."""

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel

from app.api.dependencies import ModelName, ServicesDep, Version
from app.api.loading import loaded
from app.api.openapi import MODEL_PROBLEMS, problem_responses
from app.api.problem_codes import ProblemCode
from app.api.schemas.camera import ModelHealthBody


class HealthQuery(BaseModel):
    """The version of the model."""

    version: Version = None


router = APIRouter(prefix="/v1/models", tags=["models"])


@router.get(
    "/{model}/health",
    summary="Compare pictures with the training",
    response_model=ModelHealthBody,
    response_description="The comparison since the start of the process.",
    responses=problem_responses(*MODEL_PROBLEMS, ProblemCode.VERSION_NOT_FOUND, ProblemCode.MODEL_LOADING),
)
async def get_model_health(
    model: ModelName, services: ServicesDep, query: Annotated[HealthQuery, Query()]
) -> ModelHealthBody:
    """Returns whether the pictures that the version was asked for since the start of the process look like those of its
    training, or which change of the camera, of the light or of the lens shows. Whole pictures count, regions do not.
    """
    artifact, _ = await loaded(services.catalogue, model, query.version)
    return ModelHealthBody.of(artifact, services.cameras.monitor(artifact))
