"""Saying that the model repository has changed. For operators: a proxy should keep others from these routes."""

import asyncio

from fastapi import APIRouter

from app.api.dependencies import ModelName, ReloaderDep
from app.api.openapi import MODEL_PROBLEMS, problem_responses
from app.api.problem_codes import ProblemCode
from app.api.schemas.reload import ReloadBody, ReloadedModelBody

router = APIRouter(prefix="/v1", tags=["models"])


_LOOKING = ProblemCode.ENGINE_STOPPED, ProblemCode.UNREADABLE_REPOSITORY


@router.post(
    "/models/{model}/reload",
    summary="Look for a model's versions now",
    response_description="What is served of the model now, and what has changed.",
    responses=problem_responses(*MODEL_PROBLEMS, *_LOOKING),
)
async def reload_model(model: ModelName, reloader: ReloaderDep) -> ReloadedModelBody:
    """Looks for new, changed and removed versions of a model now, and answers once they are served, refused or gone.

    The model may be new. Refused versions are tried again. Versions that cannot be loaded are listed in `failed`, with
    200, and all others are served. Concurrent requests share one scan. 404 if the repository has no such
    model, and none was served.
    """
    (reloaded,) = await asyncio.shield(asyncio.wrap_future(reloader.reload(model)))  # others may wait for it, too
    return ReloadedModelBody.of(reloaded)


@router.post(
    "/reload",
    summary="Look for all models now",
    response_description="What is served now, and what has changed.",
    responses=problem_responses(ProblemCode.INTERNAL_ERROR, *_LOOKING),
)
async def reload_all(reloader: ReloaderDep) -> ReloadBody:
    """The same for the whole model repository: models that are new, changed or gone."""
    reloaded = await asyncio.shield(asyncio.wrap_future(reloader.reload()))
    return ReloadBody(models=[ReloadedModelBody.of(model) for model in reloaded])
