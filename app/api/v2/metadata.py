"""What serves, and which models there are."""

from importlib.metadata import version as version_of

from fastapi import APIRouter

from app.api.dependencies import CatalogueDep, ModelName
from app.api.v2.describe import TAG, error_responses
from app.api.v2.path import VersionInPath
from app.api.v2.schemas.model import ModelMetadataBody
from app.api.v2.schemas.server import IndexEntryBody, IndexRequestBody, ServerMetadataBody

EXTENSIONS = ("binary_tensor_data",)

router = APIRouter(prefix="/v2", tags=[TAG])


@router.get(
    "",
    summary="Describe the server",
    response_description="What serves.",
    responses=error_responses(500),
    name="v2_server_metadata",
)
async def server() -> ServerMetadataBody:
    """The program, its version, and the protocol's extensions that it supports."""
    return ServerMetadataBody(name="tessera", version=version_of("tessera"), extensions=[*EXTENSIONS])


@router.get(
    "/models/{model}",
    summary="Describe a model",
    response_description="What the model takes and tells.",
    responses=error_responses(404, 422, 500, 503),
    name="v2_model_metadata",
)
async def model_metadata(model: ModelName, catalogue: CatalogueDep) -> ModelMetadataBody:
    """The inputs and outputs of a model's newest version."""
    artifact = catalogue.get(model)
    return ModelMetadataBody.of(catalogue.model(artifact.name), artifact)


@router.get(
    "/models/{model}/versions/{version}",
    summary="Describe a version",
    response_description="What the version takes and tells.",
    responses=error_responses(404, 422, 500, 503),
    name="v2_model_version_metadata",
)
async def version_metadata(model: ModelName, version: VersionInPath, catalogue: CatalogueDep) -> ModelMetadataBody:
    """The inputs and outputs of a version."""
    artifact = catalogue.get(model, version)
    return ModelMetadataBody.of(catalogue.model(artifact.name), artifact)


@router.post(
    "/repository/index",
    summary="List the repository",
    response_description="All versions of all models.",
    responses=error_responses(400, 422, 500),
    name="v2_repository_index",
)
async def index(catalogue: CatalogueDep, request: IndexRequestBody | None = None) -> list[IndexEntryBody]:
    """All versions, those included that were refused, with the reason."""
    only_ready = request is not None and request.ready
    return [
        IndexEntryBody.of(model, status)
        for model in catalogue.models()
        for status in model.versions
        if status.state == "ready" or not only_ready
    ]
