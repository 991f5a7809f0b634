"""The zones of a model in the manifest."""

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field

from app.zones import Zone, Zones

Coordinate = Annotated[float, Field(ge=0, le=2**24)]


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class ZoneRecord(_Record):
    """See app.zones.Zone."""

    name: str
    polygons: tuple[tuple[tuple[tuple[Coordinate, Coordinate], ...], ...], ...] = Field(
        description="points (x, y) in pixels; the first one of a ring is not repeated"
    )
    image_multiple: float | None = Field(
        description="the threshold of scores as a multiple of the model's; null: the area is ignored"
    )
    pixel_multiple: float | None = Field(description="likewise of map values")


class ZonesRecord(_Record):
    """See app.zones.Zones; of two areas that overlap, an ignored one decides, and else the later one."""

    height: int = Field(le=2**24, description="of the pictures in whose pixels the points are")
    width: int = Field(le=2**24)
    zones: tuple[ZoneRecord, ...]

    @classmethod
    def of(cls, zones: Zones) -> Self:
        """The record of zones."""
        height, width = zones.size
        records = (
            ZoneRecord(
                name=zone.name,
                polygons=zone.polygons,
                image_multiple=zone.image_multiple,
                pixel_multiple=zone.pixel_multiple,
            )
            for zone in zones.zones
        )
        return cls(height=height, width=width, zones=tuple(records))

    def build(self) -> Zones:
        """The value that the pipeline takes; raises InvalidZones."""
        zones = tuple(Zone(each.name, each.polygons, each.image_multiple, each.pixel_multiple) for each in self.zones)
        return Zones((self.height, self.width), zones)
