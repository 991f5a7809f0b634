"""Whether the server and its models answer."""

from fastapi import APIRouter, HTTPException

from app.api.dependencies import CatalogueDep, ModelName, ServicesDep
from app.api.v2.describe import TAG, error_responses
from app.api.v2.path import VersionInPath
from app.api.v2.schemas.model import ModelReadyBody
from app.api.v2.schemas.server import ServerLiveBody, ServerReadyBody
from app.service.readiness import unready_reasons

router = APIRouter(prefix="/v2", tags=[TAG])


@router.get(
    "/health/live",
    summary="Ask whether the server lives",
    response_description="It does.",
    responses=error_responses(500),
    name="v2_server_live",
)
async def live() -> ServerLiveBody:
    """200 as long as the process answers."""
    return ServerLiveBody(live=True)


@router.get(
    "/health/ready",
    summary="Ask whether the server is ready",
    response_description="It is.",
    responses=error_responses(500, 503),
    name="v2_server_ready",
)
async def ready(services: ServicesDep) -> ServerReadyBody:
    """200 if pictures can be answered, else 503."""
    if reasons := unready_reasons(services.catalogue, services.worker):
        raise HTTPException(503, "; ".join(reasons))
    return ServerReadyBody(ready=True)


@router.get(
    "/models/{model}/ready",
    summary="Ask whether a model is ready",
    response_description="It is.",
    responses=error_responses(404, 422, 500, 503),
    name="v2_model_ready",
)
async def model_ready(model: ModelName, catalogue: CatalogueDep) -> ModelReadyBody:
    """200 if a version of the model is served, 503 while it is loaded, 404 if there is none."""
    return ModelReadyBody(name=catalogue.get(model).name, ready=True)


@router.get(
    "/models/{model}/versions/{version}/ready",
    summary="Ask whether a version is ready",
    response_description="It is.",
    responses=error_responses(404, 422, 500, 503),
    name="v2_model_version_ready",
)
async def model_version_ready(model: ModelName, version: VersionInPath, catalogue: CatalogueDep) -> ModelReadyBody:
    """200 if the version is served, 503 while it is loaded, 404 if there is none or it was refused."""
    return ModelReadyBody(name=catalogue.get(model, version).name, ready=True)
