"""The application that a server runs."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from importlib.metadata import version

from fastapi import FastAPI
from starlette.middleware import Middleware

from app.api import anomaly_map, heatmap, models, predict, predict_batch, probes, reload
from app.api.contract import CONTACT, DESCRIPTION, LICENCE, SERVERS, TAGS, describe
from app.api.dependencies import Services
from app.api.disconnects import Disconnects
from app.api.docs import mount_docs
from app.api.limits import BodyLimit
from app.api.problems import UnexpectedErrors, register_problems
from app.api.recording import Recording, RequestRecord
from app.api.request_id import RequestId

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]


def create_app(
    services: Services,
    *,
    max_body_bytes: int,
    record: Callable[[RequestRecord], None],
    lifespan: Lifespan | None = None,
) -> FastAPI:
    """The HTTP interface to `services`; `record` is told of requests, `lifespan` starts and stops what they need."""
    app = FastAPI(
        title="Tessera",
        summary="Tiled visual anomaly detection",
        description=DESCRIPTION,
        contact=CONTACT,
        license_info=LICENCE,
        servers=SERVERS,
        openapi_tags=TAGS,
        version=version("tessera"),
        docs_url=None,
        redoc_url=None,
        swagger_ui_oauth2_redirect_url=None,
        generate_unique_id_function=lambda route: route.name,
        lifespan=lifespan,
        middleware=[  # the outermost first
            Middleware(RequestId),
            Middleware(Recording, record=record),
            Middleware(Disconnects),
            Middleware(UnexpectedErrors),
            Middleware(BodyLimit, max_bytes=max_body_bytes),
        ],
    )
    app.state.services = services
    register_problems(app)
    for resource in (models, reload, predict, predict_batch, heatmap, anomaly_map, probes):
        app.include_router(resource.router)
    mount_docs(app)
    describe(app)
    return app
