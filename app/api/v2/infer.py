"""The inference routes."""

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Header, Request
from starlette.responses import Response

from app.api.dependencies import ModelName, PredictorDep, Services, ServicesDep, Timeout
from app.api.loading import loaded
from app.api.v2 import encodings
from app.api.v2.describe import INFER_BODY, INFER_RESPONSES, TAG
from app.api.v2.invalid import invalid
from app.api.v2.outputs import Array, RequestedOutput, check_sizes, encode, read_outputs, rendering
from app.api.v2.parser import Parser
from app.api.v2.path import VersionInPath
from app.api.v2.pictures import read_pictures
from app.api.v2.question import read_question
from app.api.v2.request import HEADER_LENGTH, read_message
from app.api.v2.schemas.inference import InferResponseBody
from app.api.v2.timeout import time_limit
from app.api.verdicts import RequestVerdicts
from app.artifacts import Artifact
from app.service import Predictor

router = APIRouter(prefix="/v2/models/{model}", tags=[TAG])

HeaderLength = Annotated[
    str | None,
    Header(
        alias=HEADER_LENGTH,
        description="Number of bytes of the JSON at the start of the body; binary data follows it. 0: the body is the "
        "file of a picture, and the outputs are returned as binary data. Without this header, the whole body is JSON.",
        examples=["312"],
    ),
]


@router.post(
    "/infer",
    summary="Run inference",
    response_model=InferResponseBody,
    responses=INFER_RESPONSES,
    openapi_extra=INFER_BODY,
    name="v2_infer",
)
async def infer(
    model: ModelName,
    request: Request,
    services: ServicesDep,
    predictor: PredictorDep,
    timeout_s: Timeout = None,
    header: HeaderLength = None,
) -> Response:
    """Returns the predictions of the live version for one or several pictures.

    The input `image` contains the files of pictures (BYTES), or their pixels: UINT8, UINT16 (65535 is white) or FP32
    (the parameter `white`, 1 by default, is white). The shape of pixels is [n,H,W,C] or [n,C,H,W], or without n for one
    picture; C is 1 (grey) or 3 (RGB). The channel axis is the one whose size is 1 or 3. If both axes could be the
    channel axis, the parameter `layout` is required.

    Pictures are predicted concurrently. The first axis of each output counts the pictures. Maps are returned only if
    they are requested; all maps of a request must have the same size.
    """
    artifact, timeout_s = await loaded(services.catalogue, model, None, timeout_s)
    return await _infer(request, services, predictor, artifact, timeout_s, header)


@router.post(
    "/versions/{version}/infer",
    summary="Run inference with a version",
    response_model=InferResponseBody,
    responses=INFER_RESPONSES,
    openapi_extra=INFER_BODY,
    name="v2_infer_version",
)
async def infer_version(
    model: ModelName,
    version: VersionInPath,
    request: Request,
    services: ServicesDep,
    predictor: PredictorDep,
    timeout_s: Timeout = None,
    header: HeaderLength = None,
) -> Response:
    """Returns the predictions of a version for one or several pictures; otherwise like inference without a version."""
    artifact, timeout_s = await loaded(services.catalogue, model, version, timeout_s)
    return await _infer(request, services, predictor, artifact, timeout_s, header)


async def _infer(
    request: Request,
    services: Services,
    predictor: Predictor,
    artifact: Artifact,
    timeout_s: float | None,
    header: str | None,
) -> Response:
    parser: Parser = request.app.state.parser
    message = await read_message(request, header, parser)
    parameters = message.body.parameters
    if parameters.get("sequence_id"):
        raise invalid("sequences are not supported: each picture is judged by itself; leave out sequence_id")
    limit_s, wanted = time_limit(parameters, timeout_s), read_outputs(message.body)
    question = read_question(parameters)
    sources = await read_pictures(message, services.batch_pictures, parser, request.scope)
    request_id = message.body.id
    del message  # the text of the JSON is not needed while the pictures wait
    verdicts = RequestVerdicts(services.verdicts, request.scope)
    answers = await predictor.predict_all(
        artifact,
        sources,
        partial(check_sizes, wanted=wanted, roi=question.roi),
        verdicts.drafted(rendering(wanted)),
        limit_s,
        question,
    )
    await asyncio.gather(*(verdicts.tell_drafted(verdict) for verdict, _ in answers))
    rows = [row for _, row in answers]
    body = InferResponseBody(model_name=artifact.name, model_version=str(artifact.version), id=request_id, outputs=[])
    return await asyncio.to_thread(_response, body, wanted, rows, request.headers.get("Accept-Encoding", ""))


def _response(
    body: InferResponseBody, wanted: Sequence[RequestedOutput], rows: Sequence[Sequence[Array]], accepted: str
) -> Response:
    encoded = [encode(each, [row[number] for row in rows]) for number, each in enumerate(wanted)]
    body.outputs = [output for output, _ in encoded]
    header = body.model_dump_json(exclude_none=True).encode()
    parts = [header, *(data for _, data in encoded)]
    binary = any(each.binary for each in wanted)
    encoding = encodings.response_encoding(accepted) if sum(map(len, parts)) >= encodings.SMALLEST else None
    headers = {"Vary": "Accept-Encoding"} if binary or encoding is not None else {}  # else the middleware adds it
    if binary:
        headers[HEADER_LENGTH] = str(len(header))
    if encoding is not None:
        headers["Content-Encoding"] = encoding
    content = b"".join(parts) if encoding is None else encodings.compressed(parts, encoding)
    return Response(content, headers=headers, media_type="application/octet-stream" if binary else "application/json")
