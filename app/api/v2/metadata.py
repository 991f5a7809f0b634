"""Metadata of the server and its models, and the index of the repository."""

from fastapi import APIRouter

from app.api.dependencies import CatalogueDep, ModelName
from app.api.v2.describe import TAG, error_responses
from app.api.v2.index_body import INDEX_BODY, IndexRequest
from app.api.v2.path import VersionInPath
from app.api.v2.schemas.model import ModelMetadataBody
from app.api.v2.schemas.server import IndexEntryBody, ServerMetadataBody
from app.service import ModelCatalogue, VersionState
from app.version import VERSION

EXTENSIONS = ("binary_tensor_data",)

router = APIRouter(prefix="/v2", tags=[TAG])


@router.get(
    "",
    summary="Describe the server",
    response_description="The metadata of the server.",
    responses=error_responses(422, 500),
    name="v2_server_metadata",
)
async def server() -> ServerMetadataBody:
    """Returns the name and the version of the program, and the protocol extensions that it supports."""
    return ServerMetadataBody(name="tessera", version=VERSION, extensions=[*EXTENSIONS])


@router.get(
    "/models/{model}",
    summary="Describe a model",
    response_description="The inputs and outputs of the model.",
    responses=error_responses(404, 422, 500, 503),
    name="v2_model_metadata",
)
async def model_metadata(model: ModelName, catalogue: CatalogueDep) -> ModelMetadataBody:
    """Returns the inputs and outputs of the version of a model that answers requests without a version."""
    return _metadata(catalogue, model, None)


@router.get(
    "/models/{model}/versions/{version}",
    summary="Describe a version",
    response_description="The inputs and outputs of the version.",
    responses=error_responses(404, 422, 500, 503),
    name="v2_model_version_metadata",
)
async def version_metadata(model: ModelName, version: VersionInPath, catalogue: CatalogueDep) -> ModelMetadataBody:
    """Returns the inputs and outputs of a version."""
    return _metadata(catalogue, model, version)


def _metadata(catalogue: ModelCatalogue, name: str, version: int | None) -> ModelMetadataBody:
    status = catalogue.describe(name, version)
    assert status.description is not None  # `describe` raises otherwise
    return ModelMetadataBody.of(catalogue.model(status.entry.name), status.description)


@router.post(
    "/repository/index",
    summary="List the repository",
    response_description="The versions of all models.",
    responses=error_responses(400, 413, 415, 422, 429, 500),
    openapi_extra=INDEX_BODY,
    name="v2_repository_index",
)
async def index(catalogue: CatalogueDep, request: IndexRequest) -> list[IndexEntryBody]:
    """Returns all versions of all models, refused ones included, with the reason for the refusal."""
    return [
        IndexEntryBody.of(model, status)
        for model in catalogue.models()
        for status in model.versions
        if status.state is VersionState.ready or not request.ready
    ]
