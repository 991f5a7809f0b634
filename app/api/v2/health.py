"""Liveness of the server, and readiness of the server and its models."""

from fastapi import APIRouter, HTTPException

from app.api.access import PREDICT
from app.api.dependencies import CatalogueDep, ModelName, ServicesDep
from app.api.v2.describe import TAG, error_responses
from app.api.v2.path import VersionInPath
from app.api.v2.schemas.model import ModelReadyBody
from app.api.v2.schemas.server import ServerLiveBody, ServerReadyBody
from app.service.readiness import dead_reasons, unready_reasons

router = APIRouter(prefix="/v2", tags=[TAG])


@router.get(
    "/health/live",
    summary="Check whether the server is live",
    response_description="The server is live.",
    responses=error_responses(422, 500, 503),
    name="v2_server_live",
)
async def live(services: ServicesDep) -> ServerLiveBody:
    """Returns 200, or 503 if only a new process can help."""
    if reasons := dead_reasons(services.worker):
        raise HTTPException(503, "; ".join(reasons))
    return ServerLiveBody(live=True)


@router.get(
    "/health/ready",
    summary="Check whether the server is ready",
    response_description="The server is ready.",
    responses=error_responses(422, 500, 503),
    name="v2_server_ready",
)
async def ready(services: ServicesDep) -> ServerReadyBody:
    """Returns 200 if pictures can be predicted, else 503."""
    if reasons := unready_reasons(services.catalogue, services.worker):
        raise HTTPException(503, "; ".join(reasons))
    return ServerReadyBody(ready=True)


@router.get(
    "/models/{model}/ready",
    summary="Check whether a model is ready",
    response_description="The model is ready.",
    dependencies=[PREDICT],
    responses=error_responses(401, 403, 404, 422, 500, 503),
    name="v2_model_ready",
)
async def model_ready(model: ModelName, catalogue: CatalogueDep) -> ModelReadyBody:
    """Returns 200 if a version of the model is served, 503 while one is being loaded, and 404 if there is none."""
    return ModelReadyBody(name=catalogue.describe(model).entry.name, ready=True)


@router.get(
    "/models/{model}/versions/{version}/ready",
    summary="Check whether a version is ready",
    response_description="The version is ready.",
    dependencies=[PREDICT],
    responses=error_responses(401, 403, 404, 422, 500, 503),
    name="v2_model_version_ready",
)
async def model_version_ready(model: ModelName, version: VersionInPath, catalogue: CatalogueDep) -> ModelReadyBody:
    """Returns 200 if the version is served, 503 while it is being loaded, and 404 if it is absent or refused."""
    return ModelReadyBody(name=catalogue.describe(model, version).entry.name, ready=True)
