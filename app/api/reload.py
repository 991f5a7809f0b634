"""The routes that request a scan of the model repository. For operators: a proxy should block other clients."""

import asyncio

from fastapi import APIRouter

from app.api.dependencies import ModelName, Services, ServicesDep
from app.api.openapi import MODEL_PROBLEMS, problem_responses
from app.api.problem_codes import ProblemCode
from app.api.schemas.reload import ModelReloadBody, ReloadBody, ReloadedModelBody, ReplicaReloadBody
from app.service import Reloader

router = APIRouter(prefix="/v1", tags=["models"])


_SCAN_PROBLEMS = ProblemCode.ENGINE_STOPPED, ProblemCode.UNREADABLE_REPOSITORY


@router.post(
    "/models/{model}/reload",
    summary="Reload a model",
    response_description="The served versions of the model, and the changes.",
    responses=problem_responses(*MODEL_PROBLEMS, *_SCAN_PROBLEMS),
)
async def reload_model(model: ModelName, services: ServicesDep) -> ModelReloadBody:
    """Scans the repository for new, changed and removed versions of a model.

    Responds when all versions are loaded, refused or removed. The model may be new. Refused versions are tried again.
    Versions that cannot be loaded are listed in `failed`, and all others are served; the status is 200. Concurrent
    requests share one scan. The status is 404 if the repository has no such model, and none was served before.

    On a cluster every replica scans its repository, and `replicas` lists them; one that did not finish its scan has
    `answered` false.
    """
    (own,), replicas = await reload_everywhere(services, model)
    return ModelReloadBody(**own.model_dump(), replicas=replicas)


@router.post(
    "/reload",
    summary="Reload all models",
    response_description="The served versions of all models, and the changes.",
    responses=problem_responses(ProblemCode.INVALID_REQUEST, ProblemCode.INTERNAL_ERROR, *_SCAN_PROBLEMS),
)
async def reload_all(services: ServicesDep) -> ReloadBody:
    """Scans the whole repository for new, changed and removed models, like the reload of one model."""
    own, replicas = await reload_everywhere(services, None)
    return ReloadBody(models=own, replicas=replicas)


async def reload_here(reloader: Reloader, model: str | None) -> list[ReloadedModelBody]:
    """Scans the repository of this process, for one model or all; the models, sorted by name.

    Raises ModelNotFound, UnreadableRepository or EngineStopped.
    """
    reloaded = await asyncio.shield(asyncio.wrap_future(reloader.reload(model)))  # other requests may share the scan
    return [ReloadedModelBody.of(each) for each in reloaded]


async def reload_everywhere(
    services: Services, model: str | None
) -> tuple[list[ReloadedModelBody], list[ReplicaReloadBody]]:
    """What this process found, and what each replica found; they scan at the same time. Raises as `reload_here`."""
    if services.replicas is None:
        return await reload_here(services.reloader, model), []
    replicas = asyncio.create_task(services.replicas.reload(model))
    try:
        own = await reload_here(services.reloader, model)
        return own, await replicas
    finally:
        replicas.cancel()
