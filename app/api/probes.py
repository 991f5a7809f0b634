"""For those who watch the server."""

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
        "description": "Not yet, or no longer.",
        "content": {"application/json": {"example": {"ready": False, "reasons": ["models are still being loaded"]}}},
    }
}
_METRICS = {"text/plain": {"schema": {"type": "string"}, "example": "tessera_queue_tiles 0.0\n"}}


@router.get(
    "/livez",
    summary="Ask whether the process lives",
    response_description="It does.",
    responses=problem_responses(ProblemCode.INTERNAL_ERROR),
)
async def livez() -> LivenessBody:
    """200 as long as the process answers."""
    return LivenessBody(alive=True)


@router.get(
    "/readyz",
    summary="Ask whether pictures are answered",
    response_description="They are.",
    responses=_UNREADY | problem_responses(ProblemCode.INTERNAL_ERROR),
)
async def readyz(services: ServicesDep, response: Response) -> ReadinessBody:
    """200 if pictures can be answered, else 503."""
    reasons = unready_reasons(services.catalogue, services.worker)
    response.status_code = 503 if reasons else 200
    return ReadinessBody(ready=not reasons, reasons=reasons)


@router.get(
    "/metrics",
    summary="Measure the server",
    response_class=Response,
    responses=problem_responses(ProblemCode.INTERNAL_ERROR)
    | {200: {"description": "Prometheus' text format.", "content": _METRICS}},
)
async def metrics(services: ServicesDep) -> Response:
    """Measurements in Prometheus' text format."""
    return Response(services.metrics(), media_type=CONTENT_TYPE_LATEST)
