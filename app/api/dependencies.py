"""What routes are given."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, File, Path, Query, Request, UploadFile
from pydantic import WithJsonSchema

from app.scheduling import DeviceWorker
from app.service import ModelCatalogue, Predictor


@dataclass(frozen=True, slots=True)
class Services:
    """The objects behind the routes; `metrics` returns Prometheus' text format."""

    catalogue: ModelCatalogue
    predictor: Predictor
    worker: DeviceWorker
    metrics: Callable[[], bytes]


async def _services(request: Request) -> Services:
    services: Services = request.app.state.services
    return services


ServicesDep = Annotated[Services, Depends(_services)]


async def _predictor(services: ServicesDep) -> Predictor:
    return services.predictor


async def _catalogue(services: ServicesDep) -> ModelCatalogue:
    return services.catalogue


PredictorDep = Annotated[Predictor, Depends(_predictor)]
CatalogueDep = Annotated[ModelCatalogue, Depends(_catalogue)]

ModelName = Annotated[str, Path(description="A model's name, or `default`.", examples=["default"])]
Version = Annotated[int | None, Query(ge=1, description="A version of the model; by default the newest.")]
# Without the schema, FastAPI describes uploads by contentMediaType, and several generators of clients then post text.
_Upload = Annotated[UploadFile, WithJsonSchema({"type": "string", "format": "binary"})]
Image = Annotated[
    _Upload, File(description="JPEG, PNG, WebP, BMP or TIFF; grey, RGB, RGBA, palette, CMYK or 16-bit grey.")
]
