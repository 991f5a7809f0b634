"""The routes that start and stop a candidate beside the served version."""

import asyncio
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Depends, Request

from app.api.access import user_of
from app.api.dependencies import ModelName, ShadowsDep
from app.api.json_body import json_body, read_json
from app.api.openapi import MODEL_PROBLEMS, problem_responses
from app.api.problem_codes import ProblemCode
from app.api.schemas.shadow import ModelShadowBody, ShadowRequestBody

router = APIRouter(prefix="/v1/models", tags=["models"])

_PROBLEMS = *MODEL_PROBLEMS, ProblemCode.MODEL_LOADING, ProblemCode.SHADOW_REFUSED
MAX_BYTES = 4096
"""The limit on the body."""


async def _request_body(request: Request) -> ShadowRequestBody:
    return await read_json(
        request, ShadowRequestBody, MAX_BYTES, "name the version, the share and the number of pictures"
    )


@router.post(
    "/{model}/shadow",
    summary="Start a candidate beside the served version",
    response_model=ModelShadowBody,
    response_description="The comparison that was started.",
    responses=problem_responses(
        *_PROBLEMS,
        ProblemCode.VERSION_NOT_FOUND,
        ProblemCode.TOO_MANY_BYTES,
        ProblemCode.OVERLOADED,
    ),
    openapi_extra=json_body("ShadowRequestBody"),
)
async def start_model_shadow(
    model: ModelName, form: Annotated[ShadowRequestBody, Depends(_request_body)], request: Request, shadows: ShadowsDep
) -> ModelShadowBody:
    """Starts a comparison of a loaded version with the one that serves now, on a share of the requests.

    Answers do not change, and wait at most for the unit that a lane has in work. All servers of the model repository
    take part, and a restart changes nothing. The comparison ends as soon as the candidate is proved to have more or
    fewer alarms, or after `pictures` without a proof.
    """
    start = partial(
        shadows.begin, model, form.version, user_of(request.scope), share=form.share, pictures=form.pictures
    )
    return ModelShadowBody.of(await asyncio.to_thread(start))


@router.delete(
    "/{model}/shadow",
    summary="Stop the candidate beside the served version",
    response_model=ModelShadowBody,
    response_description="The comparison that was stopped.",
    responses=problem_responses(*_PROBLEMS),
)
async def stop_model_shadow(model: ModelName, request: Request, shadows: ShadowsDep) -> ModelShadowBody:
    """Stops the comparison. What was found stays until another comparison is started."""
    return ModelShadowBody.of(await asyncio.to_thread(shadows.end, model, user_of(request.scope)))
