"""The routes that request a scan of the model repository. For operators: a proxy should block other clients."""

import asyncio

from fastapi import APIRouter

from app.api.dependencies import ModelName, ReloaderDep
from app.api.openapi import MODEL_PROBLEMS, problem_responses
from app.api.problem_codes import ProblemCode
from app.api.schemas.reload import ReloadBody, ReloadedModelBody

router = APIRouter(prefix="/v1", tags=["models"])


_SCAN_PROBLEMS = ProblemCode.ENGINE_STOPPED, ProblemCode.UNREADABLE_REPOSITORY


@router.post(
    "/models/{model}/reload",
    summary="Reload a model",
    response_description="The served versions of the model, and the changes.",
    responses=problem_responses(*MODEL_PROBLEMS, *_SCAN_PROBLEMS),
)
async def reload_model(model: ModelName, reloader: ReloaderDep) -> ReloadedModelBody:
    """Scans the repository for new, changed and removed versions of a model.

    Responds when all versions are loaded, refused or removed. The model may be new. Refused versions are tried again.
    Versions that cannot be loaded are listed in `failed`, and all others are served; the status is 200. Concurrent
    requests share one scan. The status is 404 if the repository has no such model, and none was served before.
    """
    (reloaded,) = await asyncio.shield(asyncio.wrap_future(reloader.reload(model)))  # other requests may share the scan
    return ReloadedModelBody.of(reloaded)


@router.post(
    "/reload",
    summary="Reload all models",
    response_description="The served versions of all models, and the changes.",
    responses=problem_responses(ProblemCode.INVALID_REQUEST, ProblemCode.INTERNAL_ERROR, *_SCAN_PROBLEMS),
)
async def reload_all(reloader: ReloaderDep) -> ReloadBody:
    """Scans the whole repository for new, changed and removed models, like the reload of one model."""
    reloaded = await asyncio.shield(asyncio.wrap_future(reloader.reload()))
    return ReloadBody(models=[ReloadedModelBody.of(model) for model in reloaded])
