"""The route that trains a first model."""

import asyncio
from collections import Counter
from collections.abc import Sequence

from fastapi import APIRouter, Request, Response
from starlette.datastructures import UploadFile

from app.api.dependencies import ServicesDep, TrainingsDep
from app.api.openapi import problem_responses
from app.api.problem_codes import ProblemCode
from app.api.schemas.training import TrainingBody
from app.api.trainings.body import FIRST_MODEL_BODY, FirstModelFormDep
from app.api.trainings.parameters import COMMON_PROBLEMS, PREFIX
from app.errors import InvalidImage, LimitExceeded, SizesDiffer
from app.service import Predictor, Upload
from app.shown import shown
from app.tiling import Size

router = APIRouter(prefix="/v1/models", tags=["trainings"])

MOST_DIFFERENCE = 0.1
"""The largest difference of edges from those of the most frequent size: cutting out parts makes sizes differ a little,
and another camera makes them differ more.
"""

_PROBLEMS = (
    *COMMON_PROBLEMS,
    ProblemCode.BAD_REQUEST,
    ProblemCode.UNSUPPORTED_MEDIA_TYPE,
    ProblemCode.INVALID_NAME,
    ProblemCode.MODEL_EXISTS,
    ProblemCode.TOO_FEW_PICTURES,
    ProblemCode.TOO_MANY_PICTURES,
    ProblemCode.SIZES_DIFFER,
    ProblemCode.UNSUPPORTED_IMAGE,
    ProblemCode.DAMAGED_IMAGE,
    ProblemCode.INVALID_IMAGE,
    ProblemCode.TOO_MANY_PIXELS,
    ProblemCode.DECODING_LIMIT,
    ProblemCode.TOO_MANY_BYTES,
    ProblemCode.OVERLOADED,
    ProblemCode.TRAINING_BUSY,
    ProblemCode.INSUFFICIENT_MEMORY,
    ProblemCode.INSUFFICIENT_STORAGE,
    ProblemCode.ENGINE_STOPPED,
)


@router.post(
    "",
    status_code=202,
    summary="Train a first model",
    response_model=TrainingBody,
    response_description="The training, which has begun; `Location` is where to follow it.",
    responses=problem_responses(*_PROBLEMS),
    openapi_extra=FIRST_MODEL_BODY,
    name="train_first_model",
)
async def train(
    request: Request, form: FirstModelFormDep, services: ServicesDep, trainings: TrainingsDep, response: Response
) -> TrainingBody:
    """Trains a first model on ten or more normal pictures of about one size.

    The model is calibrated without other pictures: each picture is measured by a model that was not fitted to it.
    `caution` of the finished training says which rate of false alarms so few pictures cannot exclude. The model is
    served once it is written and verified. Its name must be new.
    """
    await asyncio.to_thread(trainings.require, form.name, len(form.pictures))
    await _require_similar_sizes(services.predictor, form.pictures)
    sent = [(picture.filename or "", picture.file) for picture in form.pictures]
    training = await asyncio.to_thread(trainings.create, form.name, sent)
    response.headers["Location"] = f"{request.scope.get('root_path', '')}{PREFIX}/{training.id}"
    return TrainingBody.of(training)


async def _require_similar_sizes(predictor: Predictor, pictures: Sequence[UploadFile]) -> None:
    """Raises SizesDiffer, or the error of a picture whose header cannot be read, with its name."""
    sizes = [await _size(predictor, picture) for picture in pictures]
    usual, count = Counter(sizes).most_common(1)[0]
    other = next((number for number, size in enumerate(sizes) if not _similar(size, usual)), None)
    if other is not None:
        raise SizesDiffer(
            f"{count} of {len(sizes)} pictures have {_text(usual)} pixels, and {_name(pictures[other])} has "
            f"{_text(sizes[other])}; send pictures from one camera, whose edges differ by at most {MOST_DIFFERENCE:.0%}"
        )


def _similar(one: Size, other: Size) -> bool:
    return all(abs(edge - usual) <= MOST_DIFFERENCE * usual for edge, usual in zip(one, other, strict=True))


async def _size(predictor: Predictor, picture: UploadFile) -> Size:
    try:
        return await predictor.size(Upload(picture.file))
    except (InvalidImage, LimitExceeded) as error:
        raise type(error)(f"{_name(picture)}: {error}") from error


def _name(picture: UploadFile) -> str:
    return shown(picture.filename or "a picture")


def _text(size: Size) -> str:
    return f"{size[1]} x {size[0]}"
