"""The bodies of areas that do not count, or that have thresholds of their own."""

from typing import Self

from pydantic import BaseModel, Field, FiniteFloat

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
