"""The bodies of areas that do not count, or that have thresholds of their own."""

from typing import Any, Self

from pydantic import BaseModel, Field, FiniteFloat

from app.api.schemas.annotations import AnnotationModelBody, GeometryBody
from app.api.schemas.refusal import ErrorBody
from app.api.schemas.reload import ReplicaReloadBody
from app.scoring import Calibration
from app.zones import Zone, thresholds_of


class ZoneBody(BaseModel):
    """An area of the picture that does not count, or that has thresholds of its own."""

    name: str = Field(description="Name of the area.", examples=["clamp"])
    threshold: FiniteFloat | None = Field(
        description="Threshold of scores in the area, in the scale in which 0.5 is that of the model; it may exceed 1. "
        "null: nothing in the area counts.",
        examples=[0.8],
    )
    pixel_threshold: FiniteFloat | None = Field(
        description="Threshold of the map's values in the area, likewise.", examples=[0.8]
    )

    @classmethod
    def of(cls, zone: Zone, calibration: Calibration) -> Self:
        """The body of a zone of a model with this calibration."""
        image, pixel = thresholds_of(zone, calibration) or (None, None)
        return cls(name=zone.name, threshold=image, pixel_threshold=pixel)


class ZonePropertiesBody(BaseModel):
    """The properties of a zone: either `ignore` is true, or there is a `threshold`."""

    name: str | None = Field(
        default=None, description="Name of the zone. Default: `zone 1`, by its place in the list.", examples=["clamp"]
    )
    ignore: bool | None = Field(default=None, description="true: nothing in the area counts.", examples=[True])
    threshold: FiniteFloat | None = Field(
        default=None,
        description="Threshold of scores and of map values in the area, in the scale in which 0.5 is that of the "
        "model; it may exceed 1.",
        examples=[None],
    )
    pixel_threshold: FiniteFloat | None = Field(
        default=None, description="Threshold of map values, if that is another one.", examples=[None]
    )


class ZoneFeatureBody(BaseModel):
    """A zone as a feature of GeoJSON."""

    type: str = Field(description="Always `Feature`.", examples=["Feature"])
    geometry: GeometryBody = Field(description="Area of the zone: a Polygon or a MultiPolygon.")
    properties: ZonePropertiesBody = Field(description="What counts in the zone.")


class ZonesImageBody(BaseModel):
    """The pictures in whose pixels the zones are drawn. Zones of other pictures are in proportion."""

    width: int = Field(description="Width in pixels.", examples=[1280])
    height: int = Field(description="Height in pixels.", examples=[960])


class ZonesGeoJsonBody(BaseModel):
    """Zones as GeoJSON (RFC 7946), in pixels of a picture instead of degrees, with y downward."""

    type: str = Field(description="Always `FeatureCollection`.", examples=["FeatureCollection"])
    image: ZonesImageBody | None = Field(
        default=None,
        description="Size of the pictures in whose pixels the zones are. Without it, the training pictures' size is "
        "taken, if all have one size.",
    )
    model: AnnotationModelBody | None = Field(
        default=None, description="In answers: the version that has these zones. Ignored in requests."
    )
    features: list[ZoneFeatureBody] = Field(description="The zones, at most 100. Empty: there are none.")

    @classmethod
    def of(cls, document: dict[str, Any], model: AnnotationModelBody) -> Self:
        """The body of a document, see `app.zones.document_of`."""
        return cls.model_validate(document | {"model": model})


class ZonesWrittenBody(BaseModel):
    """The version that was written, and what serves now."""

    model: str = Field(description="Name of the model.", examples=["demo"])
    version: int = Field(description="Version with these zones.", examples=[2])
    source: int = Field(description="Version whose weights it shares, and whose zones were replaced.", examples=[1])
    written: bool = Field(
        description="false: the version had no zones, and the request has none, so that nothing was written.",
        examples=[True],
    )
    live: int | None = Field(
        description="Version that serves requests without a version. It is not `version` if another one is pinned, or "
        "`version` was refused.",
        examples=[2],
    )
    error: ErrorBody | None = Field(
        description="Why this server refuses `version`; null if it does not.", examples=[None]
    )
    zones: list[ZoneBody] = Field(description="The zones.")
    replicas: list[ReplicaReloadBody] = Field(
        default=[],
        description="On a cluster: what each replica of the application found, sorted by its name; else empty.",
        examples=[[]],
    )
