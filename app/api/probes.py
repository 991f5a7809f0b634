"""The routes for monitoring: liveness, readiness and metrics."""

from fastapi import APIRouter
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.responses import Response

from app.api.dependencies import ServicesDep
from app.api.openapi import Responses, problem_responses
from app.api.problem_codes import ProblemCode
from app.api.schemas.probe import LivenessBody, ReadinessBody
from app.service.readiness import unready_reasons

router = APIRouter(tags=["probes"])

_UNREADY: Responses = {
    503: {
        "model": ReadinessBody,
        "description": "The server is not ready; `reasons` says why.",
        "content": {"application/json": {"example": {"ready": False, "reasons": ["models are still being loaded"]}}},
    }
}
_METRICS = {"text/plain": {"schema": {"type": "string"}, "example": "tessera_queue_tiles 0.0\n"}}


@router.get(
    "/livez",
    summary="Check liveness",
    response_description="The process is alive.",
    responses=problem_responses(ProblemCode.INVALID_REQUEST, ProblemCode.INTERNAL_ERROR),
)
async def livez() -> LivenessBody:
    """Returns 200 as long as the process responds."""
    return LivenessBody(alive=True)


@router.get(
    "/readyz",
    summary="Check readiness",
    response_description="The server is ready.",
    responses=_UNREADY | problem_responses(ProblemCode.INVALID_REQUEST, ProblemCode.INTERNAL_ERROR),
)
async def readyz(services: ServicesDep, response: Response) -> ReadinessBody:
    """Returns 200 if pictures can be predicted, else 503."""
    reasons = unready_reasons(services.catalogue, services.worker)
    response.status_code = 503 if reasons else 200
    return ReadinessBody(ready=not reasons, reasons=reasons)


@router.get(
    "/metrics",
    summary="Get metrics",
    response_class=Response,
    responses=problem_responses(ProblemCode.INVALID_REQUEST, ProblemCode.INTERNAL_ERROR)
    | {200: {"description": "Metrics in Prometheus' text format.", "content": _METRICS}},
)
async def metrics(services: ServicesDep) -> Response:
    """Returns the metrics of the server in Prometheus' text format."""
    return Response(services.metrics(), media_type=CONTENT_TYPE_LATEST)
