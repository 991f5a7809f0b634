"""The route that takes a stream of rows without an end, and answers its defect regions while the rows come."""

import asyncio
from collections.abc import Iterable
from typing import Annotated, Any
from uuid import uuid4

from fastapi import APIRouter, HTTPException, Query, Request
from pydantic import AfterValidator, BaseModel, Field
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from app.admission import TileRate
from app.api.access import key_of
from app.api.dependencies import ModelName, Services, ServicesDep, Version
from app.api.limits import pass_through
from app.api.loading import loaded
from app.api.openapi import BINARY, MODEL_PROBLEMS, Responses, problem_responses
from app.api.options import MOST_PIXELS
from app.api.picture_body import RAW, RAW_ALIASES, media_type, unsupported
from app.api.problem_codes import ProblemCode
from app.api.problems import problem_of
from app.api.schemas.stream import StreamLineBody
from app.errors import ClientTooSlow, InvalidStream
from app.pipeline import Criteria
from app.pipeline.prediction import THRESHOLD
from app.service.streaming import Connection, Known, RowFormat, RowStream, SampleType, StreamOptions, Streams

MEDIA_TYPE = "application/x-ndjson"
MOST_ROWS = 2**53 - 1
"""The largest number of a row that all clients read exactly."""
WIDEST = 2**22

router = APIRouter(tags=["predictions"])


def _one_or_three(channels: int) -> int:
    if channels not in (1, 3):
        raise ValueError("give 1 (grey) or 3 (RGB)")
    return channels


SampleTypeParameter = Annotated[
    SampleType,
    Query(description="Type of the samples; `uint16` is little endian, and 65535 is white.", examples=["uint8"]),
]


class StreamQuery(BaseModel):
    """Query parameters of a stream of rows."""

    version: Version = None
    width: int = Field(ge=1, le=WIDEST, description="Width of a row, in pixels.", examples=[8192])
    dtype: SampleTypeParameter = SampleType.uint8
    channels: Annotated[int, AfterValidator(_one_or_three)] = Field(
        default=1, ge=1, le=3, description="Samples of a pixel: 1 (grey), or 3 (red, green, blue).", examples=[1]
    )
    stream: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z0-9._-]{1,64}$",
        description="Name with which the stream can be continued; one for each camera. Default: a new name.",
        examples=["line-3"],
    )
    after: int | None = Field(
        default=None,
        ge=0,
        le=MOST_ROWS,
        description="Continues the stream: `sequence` of the last region that the client has, 0 if it has none. The "
        "later ones are sent again. Default: a new stream begins.",
        examples=[17],
    )
    first_row: int | None = Field(
        default=None,
        ge=0,
        le=MOST_ROWS,
        description="Number of the first row of the body. A new stream counts its rows from there on (default: 0). "
        "Rows that a continued stream has already are passed over (default: the body begins with the first row that "
        "the server does not have).",
        examples=[0],
    )
    more: bool = Field(
        default=False,
        description="Whether the stream goes on after this body. The response then ends with `paused`, after all "
        "regions that are final so far, and another request continues the stream.",
        examples=[False],
    )
    threshold: float = Field(
        default=THRESHOLD,
        ge=0,
        le=1,
        allow_inf_nan=False,
        description="Normalised map values, which are in [0, 1], belong to a region above this threshold. 0.5 is the "
        "calibrated threshold of the model.",
        examples=[0.6],
    )
    min_region_area: int = Field(
        default=1, ge=1, le=MOST_PIXELS, description="Smallest area of a region, in pixels.", examples=[25]
    )
    longest_region: int = Field(
        default=10_000,
        ge=1,
        le=MOST_PIXELS,
        description="A region that reaches this many rows is reported in parts. `continues` is true for all "
        "parts but the last.",
        examples=[10_000],
    )

    def options(self) -> StreamOptions:
        form = RowFormat(self.width, self.channels, self.dtype)
        return StreamOptions(form, Criteria(self.threshold, self.min_region_area), self.longest_region)


_LINE = (
    '{"type":"region","score":0.91,"sequence":17,"box":{"x":412,"y":8806,"width":71,"height":18},"area":904,'
    '"peak":{"x":447,"y":8814},"continues":false}\n'
)
_LINES: Responses = {
    200: {
        "description": "One StreamLineBody per line, from the first row on: the response begins before the body ends.",
        "content": {MEDIA_TYPE: {"schema": {"type": "string"}, "example": _LINE}},
    }
}
_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "The samples of the rows, one row after the other and without a header, in chunks of any size "
        "(`Transfer-Encoding: chunked`). Samples of a pixel are adjacent.",
        "content": {RAW: {"schema": BINARY}},
    }
}


@router.post(
    "/v1/models/{model}/stream",
    summary="Inspect a stream of rows",
    response_class=Response,
    responses=problem_responses(
        *MODEL_PROBLEMS,
        ProblemCode.VERSION_NOT_FOUND,
        ProblemCode.STREAM_NOT_FOUND,
        ProblemCode.STREAM_CONFLICT,
        ProblemCode.NOT_STREAMABLE,
        ProblemCode.INVALID_STREAM,
        ProblemCode.UNSUPPORTED_MEDIA_TYPE,
        ProblemCode.TOO_COSTLY,
        ProblemCode.OVERLOADED,
        ProblemCode.MODEL_LOADING,
        ProblemCode.INSUFFICIENT_MEMORY,
        ProblemCode.NOT_FINITE,
        ProblemCode.DEVICE_FAILED,
        ProblemCode.ENGINE_STOPPED,
    )
    | _LINES,
    name="stream_rows",
    openapi_extra=_BODY,
)
async def stream_rows(
    model: ModelName, request: Request, services: ServicesDep, query: Annotated[StreamQuery, Query()]
) -> Response:
    """Returns the defect regions of rows that come without an end, such as those of a line camera. Each region is sent
    as soon as no later row can change it. There is no score of the picture, because it has no end.

    The server reads no more rows than it can compute. A stream whose connection broke is kept for `stream_idle_s`, and
    continued with `after`.
    """
    _require_raw(request, query.options().form)
    streams, key = services.streams, key_of(request.scope)
    owner = None if key is None else key.name
    name = query.stream
    if query.after is None:
        artifact, _ = await loaded(services.catalogue, model, query.version)
        stream, connection = await streams.begin(
            owner, name or uuid4().hex, artifact, query.options(), query.first_row or 0, _rate(services, request.scope)
        )
    else:
        meant = services.catalogue.describe(model).entry.name
        known = Known(query.options(), meant, query.version, query.first_row, query.after)
        stream, connection = streams.resume(owner, name or "", known)
    return _StreamResponse(streams, owner, stream, connection, is_pause=query.more)


def _rate(services: Services, scope: Scope) -> TileRate | None:
    key = key_of(scope)
    return None if key is None or key.tiles_per_s is None else services.rates.of(key.name, key.tiles_per_s)


def _require_raw(request: Request, form: RowFormat) -> None:
    """Raises HTTPException for a body that is not of raw samples, and InvalidStream if it cannot be of whole rows."""
    content_type = media_type(request)
    if content_type not in RAW_ALIASES:
        raise unsupported(content_type, (RAW,))
    encoding = request.headers.get("content-encoding", "identity")
    if encoding.lower() != "identity":
        raise HTTPException(
            415, "rows of a stream are not decompressed; send no Content-Encoding", {"Accept-Encoding": "identity"}
        )
    announced = request.headers.get("content-length", "0")
    if announced.isdecimal() and int(announced[:18]) % form.row_bytes:
        raise InvalidStream(
            f"the body has {announced[:18]} bytes, and a row has {form.row_bytes:,} ({form.width:,} pixels x "
            f"{form.channels} x {form.dtype}); send whole rows"
        )


class _StreamResponse(Response):
    """Reads the rows and writes the lines at the same time, until one of both ends the connection."""

    media_type = MEDIA_TYPE

    def __init__(
        self, streams: Streams, owner: str | None, stream: RowStream, connection: Connection, *, is_pause: bool
    ) -> None:
        super().__init__(headers={"Content-Encoding": "identity"})  # compression would delay the lines
        del self.headers["content-length"]
        self._streams, self._owner, self._stream, self._connection = streams, owner, stream, connection
        self._is_pause = is_pause

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        pass_through(scope)
        tasks: list[asyncio.Task[Any]] = []
        try:
            reader = asyncio.create_task(self._read(receive))
            tasks.append(reader)
            await asyncio.sleep(0)  # reads first, so that a client that waits for `100 Continue` gets it
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            await send(_lines([StreamLineBody.started(self._stream)]))
            writer, closed = asyncio.create_task(self._write(send)), asyncio.create_task(self._connection.closed())
            tasks += (writer, closed)
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            if reader.done() and reader.exception() is None and reader.result():
                await asyncio.wait((writer, closed), return_when=asyncio.FIRST_COMPLETED)
            error = _error_of(reader, writer, closed)
            writer.cancel()
            if error is not None:
                await send(_lines([StreamLineBody.failed(self._stream, problem_of(scope, error))]))
            if error is not None or writer.done():
                await send({"type": "http.response.body", "body": b""})
        finally:
            self._streams.leave(self._owner, self._stream, self._connection)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)  # may be cancelled, because the client is gone

    async def _read(self, receive: Receive) -> bool:
        """Takes all rows of the body; returns whether it has ended, and False if the client is gone."""
        idle_s, observer = self._streams.idle_s, self._streams.observer
        while True:
            try:
                async with asyncio.timeout(idle_s):
                    message = await receive()
            except TimeoutError as error:
                raise ClientTooSlow(
                    f"no row came for {idle_s:g} s (stream_idle_s); continue the stream with "
                    f"after={self._connection.sent}"
                ) from error
            if message["type"] == "http.disconnect":
                return False
            await self._stream.take(self._connection, message.get("body", b""), observer)
            if not message.get("more_body", False):
                self._stream.end_rows(self._connection, is_pause=self._is_pause)
                return True

    async def _write(self, send: Send) -> None:
        async for events in self._stream.events(self._connection):
            await send(_lines(map(StreamLineBody.of, events)))


def _error_of(
    reader: asyncio.Task[bool], writer: asyncio.Task[None], closed: asyncio.Task[Exception]
) -> Exception | None:
    """The error with which the connection ends; None: it ends well, or the client is gone."""
    if closed.done():
        return closed.result()
    for task in (writer, reader):
        if task.done() and (error := task.exception()) is not None:
            if not isinstance(error, Exception):
                raise error
            return error
    return None


def _lines(lines: Iterable[StreamLineBody]) -> Message:
    text = "".join(f"{line.model_dump_json(exclude_none=True)}\n" for line in lines)
    return {"type": "http.response.body", "body": text.encode(), "more_body": True}
