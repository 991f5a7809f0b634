"""The routes for monitoring: liveness, readiness and metrics."""

import asyncio

from fastapi import APIRouter
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.responses import Response

from app.api.access import PREDICT
from app.api.dependencies import ServicesDep
from app.api.openapi import ACCESS_PROBLEMS, Responses, problem_responses
from app.api.problem_codes import ProblemCode
from app.api.schemas.probe import LivenessBody, ReadinessBody
from app.service.readiness import dead_reasons, unready_reasons

router = APIRouter(tags=["probes"])

_UNREADY: Responses = {
    503: {
        "model": ReadinessBody,
        "description": "The server is not ready; `reasons` says why.",
        "content": {"application/json": {"example": {"ready": False, "reasons": ["models are still being loaded"]}}},
    }
}
_DEAD: Responses = {
    503: {
        "model": LivenessBody,
        "description": "Only a new process can help; `reasons` says why.",
        "content": {
            "application/json": {
                "example": {
                    "alive": False,
                    "reasons": ["cuda:0 has computed one unit of work for 130 s, of at most 120 s"],
                }
            }
        },
    }
}
_METRICS = {"text/plain": {"schema": {"type": "string"}, "example": "tessera_queue_tiles 0.0\n"}}


@router.get(
    "/livez",
    summary="Check liveness",
    response_description="The process is alive.",
    response_model_exclude_none=True,
    responses=_DEAD | problem_responses(ProblemCode.INVALID_REQUEST, ProblemCode.INTERNAL_ERROR),
)
async def livez(services: ServicesDep, response: Response) -> LivenessBody:
    """Returns 200, or 503 if only a new process can help: the server then ends itself soon."""
    reasons = dead_reasons(services.worker)
    response.status_code = 503 if reasons else 200
    return LivenessBody(alive=not reasons, reasons=reasons or None)


@router.get(
    "/readyz",
    summary="Check readiness",
    response_description="The server is ready.",
    response_model_exclude_none=True,
    responses=_UNREADY | problem_responses(ProblemCode.INVALID_REQUEST, ProblemCode.INTERNAL_ERROR),
)
async def readyz(services: ServicesDep, response: Response) -> ReadinessBody:
    """Returns 200 if pictures can be predicted, else 503."""
    reasons = unready_reasons(services.catalogue, services.worker)
    response.status_code = 503 if reasons else 200
    return ReadinessBody(ready=not reasons, reasons=reasons, notes=services.notes() or None)


@router.get(
    "/metrics",
    summary="Get metrics",
    response_class=Response,
    dependencies=[PREDICT],
    responses=problem_responses(*ACCESS_PROBLEMS, ProblemCode.INVALID_REQUEST, ProblemCode.INTERNAL_ERROR)
    | {200: {"description": "Metrics in Prometheus' text format.", "content": _METRICS}},
)
async def metrics(services: ServicesDep) -> Response:
    """Returns the metrics of the server in Prometheus' text format. On a cluster: those of all replicas, with the label
    `replica`.
    """
    if services.replicas is not None:
        text = await services.replicas.metrics()
    else:
        text = await asyncio.to_thread(services.metrics)  # those of jobs wait for their database
    return Response(text, media_type=CONTENT_TYPE_LATEST)
