"""The route that says what a candidate beside the served version has found."""

import asyncio

from fastapi import APIRouter

from app.api.dependencies import ModelName, ShadowsDep
from app.api.openapi import MODEL_PROBLEMS, problem_responses
from app.api.problem_codes import ProblemCode
from app.api.schemas.shadow import ModelShadowBody

router = APIRouter(prefix="/v1/models", tags=["models"])


@router.get(
    "/{model}/shadow",
    summary="Compare a candidate with the served version",
    response_model=ModelShadowBody,
    response_description="The latest comparison.",
    responses=problem_responses(*MODEL_PROBLEMS, ProblemCode.MODEL_LOADING, ProblemCode.SHADOW_REFUSED),
)
async def get_model_shadow(model: ModelName, shadows: ShadowsDep) -> ModelShadowBody:
    """Returns the latest comparison of a candidate with the served version: the counts of all servers of the model
    repository, the test, and the latest pictures on which the verdicts differ.
    """
    return ModelShadowBody.of(await asyncio.to_thread(shadows.status, model))
