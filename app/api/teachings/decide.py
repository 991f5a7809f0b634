"""The route that decides what becomes of a candidate."""

import asyncio
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Depends, Request

from app.api.access import user_of
from app.api.dependencies import ServicesDep, TeachingsDep
from app.api.json_body import json_body, read_json
from app.api.openapi import problem_responses
from app.api.problem_codes import ProblemCode
from app.api.reload import reload_everywhere
from app.api.schemas.teaching import DecisionRequestBody, TeachingBody
from app.api.teachings.parameters import PREFIX, TEACHING_PROBLEMS, TeachingId

router = APIRouter(prefix=PREFIX, tags=["teachings"])

MAX_BYTES = 4096
"""The limit on the body."""


async def _request_body(request: Request) -> DecisionRequestBody:
    return await read_json(request, DecisionRequestBody, MAX_BYTES, "name the decision")


@router.post(
    "/{teaching}/decision",
    summary="Decide what becomes of a candidate",
    response_model=TeachingBody,
    response_description="The teaching with its new state.",
    responses=problem_responses(
        *TEACHING_PROBLEMS,
        ProblemCode.TEACHING_CONFLICT,
        ProblemCode.SECOND_PERSON_REQUIRED,
        ProblemCode.TOO_MANY_BYTES,
        ProblemCode.OVERLOADED,
        ProblemCode.ENGINE_STOPPED,
        ProblemCode.UNREADABLE_REPOSITORY,
    ),
    openapi_extra=json_body("DecisionRequestBody"),
    name="decide_teaching",
)
async def decide(
    teaching: TeachingId,
    form: Annotated[DecisionRequestBody, Depends(_request_body)],
    request: Request,
    services: ServicesDep,
    teachings: TeachingsDep,
) -> TeachingBody:
    """Serves the candidate (`promote`), deletes it (`refuse`), or brings back the version before (`rollback`).

    The answer comes when this server, and on a cluster every replica, has loaded the change. Other servers of the
    repository find it with their next scan.
    """
    change = partial(
        teachings.decide, teaching, form.decision, user_of(request.scope), second_person=form.second_person
    )
    found = await asyncio.to_thread(change)
    await reload_everywhere(services, found.model)
    return TeachingBody.of(found)
