"""Inference."""

import asyncio
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Header, Request
from starlette.responses import Response

from app.api.dependencies import ModelName, Services, ServicesDep, Timeout
from app.api.v2 import encodings
from app.api.v2.asked import read_question
from app.api.v2.describe import INFER_BODY, INFER_RESPONSES, TAG
from app.api.v2.invalid import invalid
from app.api.v2.outputs import Array, Wanted, check_sizes, encode, read_outputs
from app.api.v2.path import VersionInPath
from app.api.v2.pictures import read_pictures
from app.api.v2.request import HEADER_LENGTH, read_message
from app.api.v2.schemas.inference import InferResponseBody
from app.api.v2.timeout import time_limit
from app.service import Predicted

router = APIRouter(prefix="/v2/models/{model}", tags=[TAG])

HeaderLength = Annotated[
    str | None,
    Header(
        alias=HEADER_LENGTH,
        description="How many bytes of the body are JSON: binary data follows. 0: the body is a picture's file, and "
        "the answer is binary data. Left out, all of the body is JSON.",
        examples=["312"],
    ),
]


@router.post(
    "/infer",
    summary="Infer",
    response_model=InferResponseBody,
    responses=INFER_RESPONSES,
    openapi_extra=INFER_BODY,
    name="v2_infer",
)
async def infer(
    model: ModelName, request: Request, services: ServicesDep, timeout_s: Timeout = None, header: HeaderLength = None
) -> Response:
    """What the newest version says of one or several pictures.

    The input `image` is either BYTES, the files of pictures, or pixels: UINT8, UINT16 (65535 is white) or FP32 (the
    parameter `white`, 1 by default, is white), as [n,H,W,C] or [n,C,H,W] with 1 (grey) or 3 (RGB) channels, or without
    n. The axis whose size is 1 or 3 is that of the channels; where both could be, the parameter `layout` must say.

    Pictures are predicted side by side, and each output has them along its first axis. Maps are sent only if they are
    asked for, and only for pictures of one size.
    """
    return await _infer(request, services, model, None, timeout_s, header)


@router.post(
    "/versions/{version}/infer",
    summary="Infer with a version",
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
    timeout_s: Timeout = None,
    header: HeaderLength = None,
) -> Response:
    """What a version says of one or several pictures; all else is as without a version."""
    return await _infer(request, services, model, version, timeout_s, header)


async def _infer(
    request: Request, services: Services, model: str, version: int | None, timeout_s: float | None, header: str | None
) -> Response:
    artifact = services.catalogue.get(model, version)
    message = await read_message(request, header)
    parameters = message.body.parameters
    if parameters.get("sequence_id"):
        raise invalid("sequences are not supported: each picture is judged by itself; leave out sequence_id")
    limit_s, wanted = time_limit(parameters, timeout_s), read_outputs(message.body)
    question = read_question(parameters)
    sources = await asyncio.to_thread(read_pictures, message.body.inputs[0], message.binary, services.batch_pictures)
    rows = await services.predictor.predict_all(
        artifact,
        sources,
        partial(check_sizes, wanted=wanted, roi=question.roi),
        partial(_row, wanted=wanted),
        limit_s,
        question,
    )
    body = InferResponseBody(
        model_name=artifact.name, model_version=str(artifact.version), id=message.body.id, outputs=[]
    )
    return await asyncio.to_thread(_response, body, wanted, rows, request.headers.get("Accept-Encoding", ""))


def _row(predicted: Predicted, wanted: Iterable[Wanted]) -> list[Array]:
    """What one picture has of each output."""
    return [each.output.of(predicted) for each in wanted]


def _response(
    body: InferResponseBody, wanted: Sequence[Wanted], rows: Sequence[Sequence[Array]], accepted: str
) -> Response:
    encoded = [encode(each, [row[number] for row in rows]) for number, each in enumerate(wanted)]
    body.outputs = [output for output, _ in encoded]
    header = body.model_dump_json(exclude_none=True).encode()
    parts = [header, *(data for _, data in encoded)]
    binary = any(each.binary for each in wanted)
    encoding = encodings.chosen(accepted) if sum(map(len, parts)) >= encodings.SMALLEST else None
    headers = {"Vary": "Accept-Encoding"} if binary or encoding is not None else {}  # else the middleware says it
    if binary:
        headers[HEADER_LENGTH] = str(len(header))
    if encoding is not None:
        headers["Content-Encoding"] = encoding
    content = b"".join(parts) if encoding is None else encodings.packed(parts, encoding)
    return Response(content, headers=headers, media_type="application/octet-stream" if binary else "application/json")
