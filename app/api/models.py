"""What is served."""

from fastapi import APIRouter, Response

from app.api.conditional import (
    CONDITIONAL_RESPONSES,
    IfNoneMatch,
    conditional_headers,
    is_known,
    list_etag,
    model_etag,
)
from app.api.dependencies import CatalogueDep, ModelName
from app.api.openapi import MODEL_PROBLEMS, problem_responses
from app.api.problem_codes import ProblemCode
from app.api.schemas.model import ModelBody, ModelListBody

router = APIRouter(prefix="/v1/models", tags=["models"])


@router.get(
    "",
    summary="List the models",
    response_model=ModelListBody,
    response_description="All models.",
    responses=CONDITIONAL_RESPONSES | problem_responses(ProblemCode.INTERNAL_ERROR),
)
async def list_models(
    catalogue: CatalogueDep, response: Response, if_none_match: IfNoneMatch = None
) -> ModelListBody | Response:
    """All models with all of their versions, those included that were refused."""
    models = catalogue.models()
    headers = conditional_headers(list_etag(models))
    if is_known(headers["ETag"], if_none_match):
        return Response(status_code=304, headers=headers)
    response.headers.update(headers)
    return ModelListBody(models=[ModelBody.of(model) for model in models])


@router.get(
    "/{model}",
    summary="Describe a model",
    response_model=ModelBody,
    response_description="The model and its versions.",
    responses=CONDITIONAL_RESPONSES | problem_responses(*MODEL_PROBLEMS, ProblemCode.MODEL_LOADING),
)
async def get_model(
    model: ModelName, catalogue: CatalogueDep, response: Response, if_none_match: IfNoneMatch = None
) -> ModelBody | Response:
    """One model with all of its versions, those included that were refused.

    Its `ETag` is the digest of what is served, where that is one version and nothing was refused.
    """
    found = catalogue.model(model)
    headers = conditional_headers(model_etag(found))
    if is_known(headers["ETag"], if_none_match):
        return Response(status_code=304, headers=headers)
    response.headers.update(headers)
    return ModelBody.of(found)
