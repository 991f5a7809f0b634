"""For those who watch the server."""

from fastapi import APIRouter
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.responses import Response

from app.api.dependencies import ServicesDep
from app.api.schemas.probe import LivenessBody, ReadinessBody
from app.service.readiness import unready_reasons

router = APIRouter(tags=["probes"])


@router.get("/livez")
async def livez() -> LivenessBody:
    """200 as long as the process answers."""
    return LivenessBody(alive=True)


@router.get("/readyz", responses={503: {"model": ReadinessBody, "description": "Not yet, or no longer."}})
async def readyz(services: ServicesDep, response: Response) -> ReadinessBody:
    """200 if pictures can be answered, else 503."""
    reasons = unready_reasons(services.catalogue, services.worker)
    response.status_code = 503 if reasons else 200
    return ReadinessBody(ready=not reasons, reasons=reasons)


@router.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
async def metrics(services: ServicesDep) -> Response:
    """Measurements in Prometheus' text format."""
    return Response(services.metrics(), media_type=CONTENT_TYPE_LATEST)
