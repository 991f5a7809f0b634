"""The bodies of what a training measured of its model."""

from typing import Self

from pydantic import BaseModel, Field, FiniteFloat

from app.artifacts import QualityRecord, SecondStageRecord


class FalseAlarmsBody(BaseModel):
    """False alarms among normal pictures, each scored by a model that was not fitted to it."""

    pictures: int = Field(description="Number of normal pictures.", examples=[160])
    exceeded: int = Field(description="Number of these pictures whose score exceeds the threshold.", examples=[7])
    low: FiniteFloat = Field(
        description="Lower end of the 95 % interval of the rate of false alarms.", examples=[0.018]
    )
    high: FiniteFloat = Field(
        description="Upper end of the 95 % interval of the rate of false alarms.", examples=[0.088]
    )
    bound: FiniteFloat | None = Field(
        description="Rate of false alarms that is not exceeded with 95 % confidence (one-sided); null for models of "
        "earlier versions.",
        examples=[0.081],
    )


class DefectSizeBody(BaseModel):
    """Synthetic defects of one size in normal pictures that the model was not fitted to."""

    diameter: int = Field(description="Diameter in pixels of the picture.", examples=[12])
    tried: int = Field(description="Number of defects that were drawn.", examples=[24])
    found: int = Field(description="Number of these defects in which the model finds a region.", examples=[23])


class SecondStageBody(BaseModel):
    """The second stage of a taught version: what confirmed defects look like."""

    defects: int = Field(description="Pictures with confirmed defects that it was fitted to.", examples=[14])
    harmless: int = Field(description="Harmless pictures that it was fitted to.", examples=[120])
    factor: FiniteFloat = Field(description="Largest factor of a distance; the smallest is 1.", examples=[4.0])
    gain: FiniteFloat = Field(
        description="Gain of the mean recall at rates of false alarms up to 10 %, compared with no second stage, by "
        "second stages that were not fitted to the pictures.",
        examples=[0.2],
    )
    gain_error: FiniteFloat = Field(description="Standard error of the gain.", examples=[0.06])

    @classmethod
    def of(cls, record: SecondStageRecord) -> Self:
        return cls(**record.model_dump())


class QualityBody(BaseModel):
    """What the training measured of the model, without pictures of real defects."""

    false_alarms: FalseAlarmsBody | None = Field(
        description="False alarms among normal pictures; null if they were not measured."
    )
    smallest_defect: int | None = Field(
        description="Smallest diameter in pixels of which, as of all larger ones, at least 90 % of the synthetic "
        "defects are found; null if there is none.",
        examples=[12],
    )
    defects: list[DefectSizeBody] = Field(description="Synthetic defects by rising diameter; empty if none were tried.")

    @classmethod
    def of(cls, record: QualityRecord) -> Self:
        """The body of the record in a manifest."""
        return cls.model_validate(record.model_dump() | {"smallest_defect": record.smallest_defect})
