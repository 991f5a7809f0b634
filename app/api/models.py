"""The routes that describe the served models."""

from fastapi import APIRouter, Response

from app.api.conditional import CONDITIONAL_RESPONSES, IfNoneMatch, conditional_headers, entity_tag, tag_matches
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
    responses=CONDITIONAL_RESPONSES | problem_responses(ProblemCode.INVALID_REQUEST, ProblemCode.INTERNAL_ERROR),
)
async def list_models(
    catalogue: CatalogueDep, response: Response, if_none_match: IfNoneMatch = None
) -> ModelListBody | Response:
    """Returns all models with all of their versions, refused ones included."""
    body = ModelListBody(models=[ModelBody.of(model) for model in catalogue.models()])
    headers = conditional_headers(entity_tag(body))
    if tag_matches(headers["ETag"], if_none_match):
        return Response(status_code=304, headers=headers)
    response.headers.update(headers)
    return body


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
    """Returns one model with all of its versions, refused ones included."""
    body = ModelBody.of(catalogue.model(model))
    headers = conditional_headers(entity_tag(body))
    if tag_matches(headers["ETag"], if_none_match):
        return Response(status_code=304, headers=headers)
    response.headers.update(headers)
    return body
