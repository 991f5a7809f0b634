"""What routes are given."""

from collections.abc import Callable
from dataclasses import dataclass
from math import nan
from typing import Annotated

from fastapi import Depends, Header, Path, Query, Request
from pydantic import BeforeValidator

from app.scheduling import DeviceWorker
from app.service import ModelCatalogue, Predictor, Reloader

LONGEST_S = 86400
"""The longest time that a client may ask for: a day."""


@dataclass(frozen=True, slots=True)
class Services:
    """The objects behind the routes; batches have at most `batch_pictures`, `metrics` returns Prometheus' format."""

    catalogue: ModelCatalogue
    predictor: Predictor
    worker: DeviceWorker
    reloader: Reloader
    metrics: Callable[[], bytes]
    batch_pictures: int


async def _services(request: Request) -> Services:
    services: Services = request.app.state.services
    return services


ServicesDep = Annotated[Services, Depends(_services)]


async def _predictor(services: ServicesDep) -> Predictor:
    return services.predictor


async def _catalogue(services: ServicesDep) -> ModelCatalogue:
    return services.catalogue


async def _reloader(services: ServicesDep) -> Reloader:
    return services.reloader


PredictorDep = Annotated[Predictor, Depends(_predictor)]
CatalogueDep = Annotated[ModelCatalogue, Depends(_catalogue)]
ReloaderDep = Annotated[Reloader, Depends(_reloader)]

ModelName = Annotated[str, Path(description="A model's name, or `default`.", examples=["default"])]
Version = Annotated[int | None, Query(ge=1, description="A version of the model; by default the newest.", examples=[1])]


def _seconds(value: object) -> float:
    try:
        seconds = float(str(value))
    except ValueError:
        seconds = nan
    if not (0 < seconds <= LONGEST_S):
        raise ValueError(f"give seconds as a decimal number over 0 and up to {LONGEST_S}, such as 2.5")
    return seconds


Timeout = Annotated[
    float | None,
    BeforeValidator(_seconds),
    Header(
        alias="X-Request-Timeout",
        description="How many seconds the answer is waited for, counted from the upload's end: a request that was not "
        "answered by then gets 504, and its work is given up. By default the server's `request_timeout_s`.",
        examples=[2.5],
        json_schema_extra={"exclusiveMinimum": 0, "maximum": LONGEST_S},
    ),
]
