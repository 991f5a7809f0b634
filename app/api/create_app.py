"""The FastAPI application with its middlewares and routes."""

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager

from fastapi import Depends, FastAPI
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.gzip import DEFAULT_EXCLUDED_CONTENT_TYPES, GZipMiddleware

from app.admission import Uploads
from app.api import (
    anomaly_map,
    camera,
    heatmap,
    models,
    normal_pictures,
    predict,
    predict_batch,
    probes,
    reload,
    row_stream,
    shadow,
    shadow_changes,
    zones,
    zones_changes,
)
from app.api.access import ADMIN, PREDICT, REVIEW
from app.api.admission import Admission, Gate
from app.api.answer_headers import ANSWER_HEADERS
from app.api.caching import CacheHeaders
from app.api.contract import CONTACT, DESCRIPTION, LICENCE, TAGS, describe, servers
from app.api.dependencies import Services
from app.api.disconnects import Disconnects
from app.api.docs import mount_docs
from app.api.head_requests import HeadRequests
from app.api.in_flight import InFlight, RequestsInFlight
from app.api.jobs import RESOURCES as JOBS
from app.api.limits import BodyLimit
from app.api.openapi import ACCESS_PROBLEMS, problem_responses
from app.api.origins import ANY, Origins
from app.api.parameters import known_parameters
from app.api.pictures import RESOURCES as PICTURES
from app.api.pieces import Pieces
from app.api.problems import UnexpectedErrors, register_problems
from app.api.recording import Recording, RequestRecord
from app.api.redirects import RelativeRedirects
from app.api.request_id import RequestId
from app.api.root_path import RootPath
from app.api.security_headers import SecurityHeaders
from app.api.teachings import RESOURCES as TEACHINGS
from app.api.trainings import RESOURCES as TRAININGS
from app.api.v2 import health as v2_health
from app.api.v2 import infer as v2_infer
from app.api.v2 import metadata as v2_metadata
from app.api.v2.describe import error_responses
from app.api.v2.invalid import inference_error
from app.api.v2.parser import Parser
from app.api.v2.request import HEADER_LENGTH
from app.version import VERSION

COMPRESSED_FROM = 1024
"""The smallest response that is compressed, in bytes: shorter ones fit into one packet."""
COMPRESSION_LEVEL = 4
INCOMPRESSIBLE = (*DEFAULT_EXCLUDED_CONTENT_TYPES, "application/octet-stream", "application/x-npy", "image/tiff")
"""Media types that are not compressed. Floats shrink by a tenth only, and most networks are faster than compression.
/v2 compresses its own responses for clients that accept it.
"""
EXPOSED = (
    *ANSWER_HEADERS,
    "ETag",
    HEADER_LENGTH,
    "Location",
    "Retry-After",
    "Tus-Resumable",
    "Upload-Length",
    "Upload-Offset",
    "X-Request-ID",
)
"""The response headers that scripts of other origins may read."""

PREDICTING = (
    *(models, camera, normal_pictures, shadow, predict, predict_batch, heatmap, anomaly_map, row_stream, zones),
    *(*JOBS, v2_metadata, v2_infer),
)
"""The resources that need a key with the scope `predict`."""
REVIEWING = PICTURES
"""The resources that need a key with the scope `review`."""
CHANGING = (reload, shadow_changes, zones_changes, *TRAININGS, *TEACHINGS)
"""The resources that need a key with the scope `admin`. Each other route says what it needs: probes are open."""

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]


def create_app(
    services: Services,
    *,
    uploads: Uploads,
    cors_origins: Sequence[str] = (),
    allowed_hosts: Sequence[str] = (ANY,),
    root_path: str = "",
    record: Callable[[RequestRecord], None],
    gate: Gate,
    refused: Callable[[str], None],
    lifespan: Lifespan | None = None,
) -> FastAPI:
    """The HTTP interface to `services`.

    uploads: the budget of request bodies
    cors_origins: the origins whose pages may use the API from browsers; `*` stands for all
    allowed_hosts: the names with a dot by which clients may reach the API; `*` stands for all
    root_path: the prefix under which a proxy serves the API
    record: called for each request
    gate: says whether one more request may begin
    refused: called for each refusal, with the setting that holds the limit
    lifespan: starts and stops the services
    """
    in_flight = RequestsInFlight()
    app = FastAPI(
        title="Tessera",
        description=DESCRIPTION,
        contact=CONTACT,
        license_info=LICENCE,
        servers=servers(root_path),
        openapi_tags=TAGS,
        version=VERSION,
        openapi_url=None,  # docs.py serves the document and the page
        docs_url=None,
        redoc_url=None,
        swagger_ui_oauth2_redirect_url=None,
        generate_unique_id_function=lambda route: route.name,
        lifespan=lifespan,
        middleware=[  # the outermost first
            Middleware(Pieces),
            Middleware(RootPath, root_path=root_path),
            Middleware(RequestId),
            Middleware(SecurityHeaders),
            Middleware(Admission, gate=gate),
            Middleware(Recording, record=record),
            Middleware(InFlight, requests=in_flight),
            Middleware(HeadRequests),
            *_cors(cors_origins),
            Middleware(RelativeRedirects),
            Middleware(CacheHeaders),
            Middleware(
                GZipMiddleware,
                minimum_size=COMPRESSED_FROM,
                compresslevel=COMPRESSION_LEVEL,
                exclude_content_types=INCOMPRESSIBLE,
            ),
            Middleware(Disconnects),
            Middleware(UnexpectedErrors),
            Middleware(BodyLimit, uploads=uploads),
            Middleware(Origins, origins=cors_origins, hosts=allowed_hosts),
        ],
    )
    app.state.services = services
    app.state.in_flight = in_flight
    app.state.parser = Parser(services.worker.needs_interpreter)
    register_problems(app, {"/v2": inference_error}, refused)
    known, v1_denied, v2_denied = (
        Depends(known_parameters),
        problem_responses(*ACCESS_PROBLEMS),
        error_responses(401, 403),
    )
    app.include_router(probes.router, dependencies=[known])  # the first, because routes are searched in this order
    for access, resources in ((PREDICT, PREDICTING), (REVIEW, REVIEWING), (ADMIN, CHANGING)):
        for resource in resources:
            denied = v2_denied if resource.router.prefix.startswith("/v2") else v1_denied
            app.include_router(resource.router, dependencies=[access, known], responses=denied)
    app.include_router(v2_health.router, dependencies=[known])
    mount_docs(app)
    describe(app)
    return app


def _cors(origins: Sequence[str]) -> list[Middleware]:
    if not origins:
        return []
    any_, day = ("*",), 86400
    return [
        Middleware(
            CORSMiddleware,
            allow_origins=origins,
            allow_methods=any_,
            allow_headers=any_,
            expose_headers=EXPOSED,
            max_age=day,
        )
    ]
