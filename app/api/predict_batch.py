"""The route that predicts several pictures."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.datastructures import UploadFile
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from app.admission import RequestShare
from app.api.batch_body import BATCH_BODY, PicturesDep
from app.api.dependencies import CatalogueDep, ModelName, PredictorDep, Timeout, VerdictsDep
from app.api.loading import loaded
from app.api.openapi import PICTURE_PROBLEMS, Responses, problem_responses
from app.api.predict import PredictionQuery
from app.api.problem_codes import ProblemCode
from app.api.problems import problem_of
from app.api.schemas.batch import BatchBody, BatchItemBody
from app.api.schemas.prediction import PredictionBody
from app.api.verdicts import RequestVerdicts
from app.artifacts import Artifact
from app.service import Answer, Predictor, Upload
from app.service.batch import answers
from app.service.pictures import Extras, rendered_extras

NDJSON = "application/x-ndjson"
router = APIRouter(tags=["predictions"])
_LINE = (
    '{"index":1,"file":"notes.txt","problem":{"code":"unsupported_image","status":415,"title":"...","detail":"..."}}\n'
)
_LINES: Responses = {
    200: {
        "description": "The result of each picture. `application/x-ndjson` has one BatchItemBody per line.",
        "content": {NDJSON: {"schema": {"type": "string"}, "example": _LINE}},
    }
}


class _Streamed(StreamingResponse):
    """A streamed response that cancels the remaining work when the client disconnects."""

    def __init__(self, content: AsyncGenerator[str, None], media_type: str) -> None:
        super().__init__(content, media_type=media_type, headers={"Vary": "Accept"})
        self._content = content

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with aclosing(self._content):
            await super().__call__(scope, receive, send)


@router.post(
    "/v1/models/{model}/predict-batch",
    summary="Predict several pictures",
    response_description="The result of each picture.",
    responses=problem_responses(*PICTURE_PROBLEMS, ProblemCode.TOO_MANY_PICTURES, ProblemCode.PARTIAL_UNSUPPORTED)
    | _LINES,
    response_model=BatchBody,
    name="predict_batch",
    openapi_extra=BATCH_BODY,
)
async def predict_batch(
    request: Request,
    model: ModelName,
    pictures: PicturesDep,
    catalogue: CatalogueDep,
    predictor: PredictorDep,
    verdicts: VerdictsDep,
    query: Annotated[PredictionQuery, Query()],
    timeout_s: Timeout = None,
) -> StreamingResponse:
    """Returns the scores, labels and defect regions of several pictures, in the order of the form.

    If a picture cannot be predicted, its item has a problem instead of a prediction; the other pictures still get their
    predictions. While the queue is full, pictures wait for room. The time limit applies to all pictures together:
    pictures that are not finished by then get a problem. With `partial`, each picture has an equal part of the time,
    and what earlier pictures leave of theirs, and gets a prediction of what was looked at by then. With
    `Accept: application/x-ndjson`, the line of a picture is sent as soon as this picture and all earlier ones are
    finished.
    """
    # all pictures use one artifact, even if versions change meanwhile
    artifact, timeout_s = await loaded(catalogue, model, query.version, timeout_s)
    limit_s = predictor.timeout_s if timeout_s is None else timeout_s
    share = predictor.share()
    kept = _kept_s(len(pictures), limit_s if query.partial else None)
    asks = [
        partial(_answer, predictor, verdicts, artifact, picture, query, share, kept_s)
        for picture, kept_s in zip(pictures, kept, strict=True)
    ]
    items = _items(request.scope, answers(asks, limit_s), [picture.filename or "" for picture in pictures])
    if _wants_lines(request.headers.get("accept", "")):
        return _Streamed(_lines(items), NDJSON)
    return _Streamed(_document(items), "application/json")


async def _answer(
    predictor: Predictor,
    verdicts: RequestVerdicts,
    artifact: Artifact,
    picture: UploadFile,
    query: PredictionQuery,
    share: RequestShare,
    kept_s: float,
    left_s: float | None,
) -> Answer[Extras]:
    rendering = rendered_extras(frozenset(query.include), query.drawing())
    own_s = None if left_s is None else max(left_s - kept_s, 0.0)
    answer = await predictor.predict(
        artifact, Upload(picture.file, picture.filename or ""), rendering, own_s, query.question(), share
    )
    await verdicts.tell(answer.predicted, picture.filename)
    return answer


def _kept_s(pictures: int, limit_s: float | None) -> list[float]:
    """For each picture, the part of the limit that is kept for the later ones: equal parts. None: no time is kept.

    A partial answer takes all the time that it gets, so that nothing would be left for later pictures.
    """
    return [0.0 if limit_s is None else limit_s * (1 - number / pictures) for number in range(1, pictures + 1)]


async def _items(
    scope: Scope, outcomes: AsyncGenerator[Answer[Extras] | Exception, None], names: list[str]
) -> AsyncGenerator[str, None]:
    """The BatchItemBody of each picture, as JSON."""
    index = 0
    async with aclosing(outcomes):
        async for outcome in outcomes:
            item = BatchItemBody(index=index, file=names[index])
            if isinstance(outcome, Exception):
                item.problem = problem_of(scope, outcome)
            else:
                judged = outcome.predicted.judged
                item.prediction = PredictionBody.of(judged, outcome.timings, outcome.rendered, outcome.evidence)
            yield item.model_dump_json(exclude_none=True)
            index += 1


async def _lines(items: AsyncGenerator[str, None]) -> AsyncGenerator[str, None]:
    async with aclosing(items):
        async for item in items:
            yield item + "\n"


async def _document(items: AsyncGenerator[str, None]) -> AsyncGenerator[str, None]:
    """The pieces of a BatchBody as JSON: it is not sent as a whole, because the PNGs in it may be large."""
    before = '{"items":['
    async with aclosing(items):
        async for item in items:
            yield before + item
            before = ","
    yield "]}"


def _wants_lines(accept: str) -> bool:
    """Whether an Accept header prefers NDJSON to JSON: by weight, else by order (RFC 9110, section 12.5.1).

    Generated clients list both types, JSON first, and can read only JSON. Neither Starlette nor the standard library
    parses such headers.
    """
    weights = {name: _weight(parameters) for name, *parameters in _ranges(accept)}
    lines, document = weights.get(NDJSON, 0.0), weights.get("application/json", 0.0)
    return lines > document or (lines == document > 0 and list(weights).index(NDJSON) == 0)


def _ranges(accept: str) -> list[list[str]]:
    """The media ranges that concern JSON and NDJSON, each with its parameters, in their order."""
    ranges = ([part.strip() for part in each.split(";")] for each in accept.lower().split(","))
    return [each for each in ranges if each[0] in (NDJSON, "application/json")]


def _weight(parameters: list[str]) -> float:
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            try:
                return float(value)
            except ValueError:
                return 0.0
    return 1.0
