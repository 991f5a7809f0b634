"""Saying that the model repository has changed. For operators: a proxy should keep others from these routes."""

import asyncio

from fastapi import APIRouter

from app.api.dependencies import ModelName, ReloaderDep
from app.api.openapi import problem_responses
from app.api.schemas.reload import ReloadBody, ReloadedModelBody

router = APIRouter(prefix="/v1", tags=["models"])


@router.post("/models/{model}/reload", responses=problem_responses(404, 422, 503))
async def reload_model(model: ModelName, reloader: ReloaderDep) -> ReloadedModelBody:
    """Looks for new, changed and removed versions of a model now, and answers once they are served, refused or gone.

    The model may be new. What was refused is tried again. What cannot be loaded is told in `failed`, with 200, and
    keeps nothing else from being served. Requests at the same time share one look. 404 if the repository has no such
    model, and none was served.
    """
    (reloaded,) = await asyncio.shield(asyncio.wrap_future(reloader.reload(model)))  # others may wait for it, too
    return ReloadedModelBody.of(reloaded)


@router.post("/reload", responses=problem_responses(503))
async def reload_all(reloader: ReloaderDep) -> ReloadBody:
    """The same for the whole model repository: models that are new, changed or gone."""
    reloaded = await asyncio.shield(asyncio.wrap_future(reloader.reload()))
    return ReloadBody(models=[ReloadedModelBody.of(model) for model in reloaded])
