"""The route that teaches a model by its reviewed pictures."""

import asyncio
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from app.api.dependencies import ModelName, ServicesDep, TeachingsDep
from app.api.json_body import json_body, read_json
from app.api.openapi import problem_responses
from app.api.problem_codes import ProblemCode
from app.api.schemas.teaching import TeachingBody, TeachRequestBody
from app.api.teachings.parameters import COMMON_PROBLEMS, PREFIX

router = APIRouter(prefix="/v1/models", tags=["teachings"])

_PROBLEMS = (
    *COMMON_PROBLEMS,
    ProblemCode.MODEL_NOT_FOUND,
    ProblemCode.MODEL_LOADING,
    ProblemCode.NOTHING_TO_LEARN,
    ProblemCode.TEACHING_CONFLICT,
    ProblemCode.PICTURES_DATABASE_UNAVAILABLE,
    ProblemCode.TRAINING_BUSY,
    ProblemCode.INSUFFICIENT_STORAGE,
    ProblemCode.TOO_MANY_BYTES,
)
MAX_BYTES = 4096
"""The limit on the body."""


async def _request_body(request: Request) -> TeachRequestBody:
    return await read_json(request, TeachRequestBody, MAX_BYTES, "give its fields alone, or no body", empty="{}")


@router.post(
    "/{model}/teach",
    status_code=202,
    summary="Teach a model by reviewed pictures",
    response_model=TeachingBody,
    response_description="The teaching, which has begun; `Location` is where to follow it.",
    responses=problem_responses(*_PROBLEMS),
    openapi_extra=json_body("TeachRequestBody", required=False),
    name="teach_model",
)
async def teach(
    model: ModelName,
    form: Annotated[TeachRequestBody, Depends(_request_body)],
    request: Request,
    services: ServicesDep,
    teachings: TeachingsDep,
    response: Response,
) -> TeachingBody:
    """Teaches a model by all reviewed pictures, and replays the candidate on all kept ones, beside the served version.

    The work has the lowest priority. If the proof does not refuse the candidate, the served version is pinned, and the
    candidate is written as a version that does not serve. It waits for a decision (`promote` or `refuse`), unless the
    rules of the setting `teach_serve` serve it. A body is optional.
    """
    name = services.catalogue.model(model).name
    teaching = await asyncio.to_thread(teachings.create, name, form.false_positive_rate, form.second_stage)
    response.headers["Location"] = f"{request.scope.get('root_path', '')}{PREFIX}/{teaching.id}"
    return TeachingBody.of(teaching)
