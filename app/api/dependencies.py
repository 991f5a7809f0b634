"""The dependencies and parameters that routes share."""

from collections.abc import Callable
from dataclasses import dataclass
from math import nan
from typing import Annotated

from fastapi import Depends, Header, Path, Query, Request
from pydantic import BeforeValidator

from app.admission import TileRates
from app.api.access import key_of
from app.api.replicas import Replicas
from app.api.verdicts import RequestVerdicts, Verdicts
from app.errors import JobsUnavailable, PicturesUnavailable, TrainingsUnavailable
from app.jobs import Jobs
from app.keys import KeyRing, Scope
from app.scheduling import DeviceWorker
from app.service import Cameras, ModelCatalogue, Predictor, Reloader
from app.service.keeping import Keeping
from app.service.shadow import ShadowLedger
from app.service.streaming import Streams
from app.service.zones import ZoneEditor
from app.trainings import Teachings, Trainings

MAX_TIMEOUT_S = 86400
"""The largest time limit that a client may set: a day."""


@dataclass(frozen=True, slots=True)
class Services:
    """The objects behind the routes.

    metrics: returns the metrics in Prometheus' text format
    batch_pictures: the largest number of pictures in one request
    shadows: the candidates that run beside served versions
    verdicts: tells verdicts to other programs
    keys: the API keys; None: requests need none
    rates: the rates of tiles of the keys
    streams: the streams of rows
    zones: reads and writes the zones of models
    notes: returns what is wrong although pictures can be predicted
    jobs: None: the server takes none
    replicas: all replicas of the application; None: this process serves by itself
    trainings: None: the server trains no models
    pictures: the kept pictures; None: none are kept
    teachings: None: the server trains no models, or keeps no pictures
    """

    catalogue: ModelCatalogue
    predictor: Predictor
    worker: DeviceWorker
    reloader: Reloader
    metrics: Callable[[], bytes]
    batch_pictures: int
    cameras: Cameras
    shadows: ShadowLedger
    verdicts: Verdicts
    keys: KeyRing | None
    rates: TileRates
    streams: Streams
    zones: ZoneEditor
    notes: Callable[[], list[str]] = list
    jobs: Jobs | None = None
    replicas: Replicas | None = None
    trainings: Trainings | None = None
    pictures: Keeping | None = None
    teachings: Teachings | None = None


async def _services(request: Request) -> Services:
    services: Services = request.app.state.services
    return services


ServicesDep = Annotated[Services, Depends(_services)]


async def _predictor(request: Request, services: ServicesDep) -> Predictor:
    """The predictor, limited to the rate of the request's key."""
    key = key_of(request.scope)
    if key is None or key.tiles_per_s is None:
        return services.predictor
    return services.predictor.limited(services.rates.of(key.name, key.tiles_per_s))


async def _catalogue(services: ServicesDep) -> ModelCatalogue:
    return services.catalogue


async def _shadows(services: ServicesDep) -> ShadowLedger:
    return services.shadows


async def _zones(services: ServicesDep) -> ZoneEditor:
    return services.zones


async def _verdicts(request: Request, services: ServicesDep) -> RequestVerdicts:
    return RequestVerdicts(services.verdicts, request.scope)


async def _jobs(services: ServicesDep) -> Jobs:
    """Raises JobsUnavailable."""
    if services.jobs is None:
        raise JobsUnavailable("this server takes no jobs; its operator can name a folder for them (jobs_dir)")
    return services.jobs


async def _trainings(services: ServicesDep) -> Trainings:
    """Raises TrainingsUnavailable."""
    if services.trainings is None:
        raise TrainingsUnavailable(
            "this server trains no models; its operator can name a folder for trainings (trainings_dir)"
        )
    return services.trainings


async def _pictures(services: ServicesDep) -> Keeping:
    """Raises PicturesUnavailable."""
    if services.pictures is None:
        raise PicturesUnavailable(
            "this server keeps no pictures; its operator can name a folder for them (pictures_dir)"
        )
    return services.pictures


async def _teachings(services: ServicesDep) -> Teachings:
    """Raises PicturesUnavailable or TrainingsUnavailable."""
    await _pictures(services)
    await _trainings(services)
    assert services.teachings is not None  # a server with both has teachings
    return services.teachings


async def _viewer(request: Request) -> str | None:
    """The name of the request's key, whose jobs it sees; None: it sees the jobs of all."""
    key = key_of(request.scope)
    return None if key is None or key.scope is Scope.admin else key.name


PredictorDep = Annotated[Predictor, Depends(_predictor)]
CatalogueDep = Annotated[ModelCatalogue, Depends(_catalogue)]
ZonesDep = Annotated[ZoneEditor, Depends(_zones)]
ShadowsDep = Annotated[ShadowLedger, Depends(_shadows)]
PicturesDep = Annotated[Keeping, Depends(_pictures)]
JobsDep = Annotated[Jobs, Depends(_jobs)]
TrainingsDep = Annotated[Trainings, Depends(_trainings)]
TeachingsDep = Annotated[Teachings, Depends(_teachings)]
Viewer = Annotated[str | None, Depends(_viewer)]
VerdictsDep = Annotated[RequestVerdicts, Depends(_verdicts)]

ModelName = Annotated[str, Path(description="Name of the model, or `default`.", examples=["default"])]
Version = Annotated[
    int | None, Query(ge=1, description="Version of the model. Default: the live version.", examples=[1])
]


def _seconds(value: object) -> float:
    try:
        seconds = float(str(value))
    except ValueError:
        seconds = nan
    if not (0 < seconds <= MAX_TIMEOUT_S):
        raise ValueError(f"give seconds as a decimal number over 0 and up to {MAX_TIMEOUT_S}, such as 2.5")
    return seconds


Timeout = Annotated[
    float | None,
    BeforeValidator(_seconds),
    Header(
        alias="X-Request-Timeout",
        description="Time limit in seconds, counted from the end of the upload. A request that takes longer gets 504, "
        "and its work is dropped. Default: the server's `request_timeout_s`.",
        examples=[2.5],
        json_schema_extra={"exclusiveMinimum": 0, "maximum": MAX_TIMEOUT_S},
    ),
]
