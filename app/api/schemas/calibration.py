"""The bodies of thresholds, and of how they were calibrated."""

from typing import Self

from pydantic import BaseModel, Field, FiniteFloat

from app.artifacts import Manifest, ThresholdRecord


class LimitsBody(BaseModel):
    """The 95 % confidence limits of a threshold, without its margin."""

    low: FiniteFloat = Field(description="Lower limit.", examples=[24.2])
    high: FiniteFloat = Field(description="Upper limit.", examples=[26.3])


class ThresholdsBody(BaseModel):
    """How certain thresholds are that were computed from normal pictures."""

    method: str = Field(description="Distribution that was fitted to the values.", examples=["gumbel"])
    image_limits: LimitsBody = Field(description="Limits of `image_threshold`.")
    image_margin: FiniteFloat = Field(
        description="Least distance between `image_threshold` and the scores of normal pictures below it, so that "
        "rounding does not change labels.",
        examples=[0.02],
    )
    pixel_limits: LimitsBody = Field(description="Limits of `pixel_threshold`.")
    pixel_margin: FiniteFloat = Field(
        description="Least distance between `pixel_threshold` and the values of normal pixels below it.",
        examples=[0.02],
    )

    @classmethod
    def of(cls, record: ThresholdRecord) -> Self:
        """The body of the record in a manifest."""
        (image_low, image_high), (pixel_low, pixel_high) = record.image_limits, record.pixel_limits
        return cls(
            method=record.method,
            image_limits=LimitsBody(low=image_low, high=image_high),
            image_margin=record.image_margin,
            pixel_limits=LimitsBody(low=pixel_low, high=pixel_high),
            pixel_margin=record.pixel_margin,
        )


class CalibrationBody(BaseModel):
    """The thresholds and how they were calibrated."""

    protocol: str = Field(
        description="Kind of the pictures that the thresholds were calibrated on.",
        examples=["held-out-normal"],
    )
    pictures: int = Field(description="Number of pictures that the thresholds were calibrated on.", examples=[40])
    anomalous_pictures: int = Field(description="Number of these pictures that show defects.", examples=[0])
    false_positive_rate: FiniteFloat | None = Field(
        description="Requested rate of false alarms; null if labelled defects determine the thresholds.",
        examples=[0.05],
    )
    image_threshold: FiniteFloat = Field(description="Pictures with a higher raw score are anomalous.", examples=[25.1])
    image_min: FiniteFloat = Field(description="Raw score at the low end of the scale.", examples=[0.0])
    image_max: FiniteFloat = Field(
        description="Raw score at the high end of the scale. The normalised score is (raw - threshold) / (max - "
        "min) + 0.5, limited to [0, 1].",
        examples=[50.2],
    )
    pixel_threshold: FiniteFloat = Field(
        description="Pixels with a higher value in the raw map are anomalous.",
        examples=[23.8],
    )
    pixel_min: FiniteFloat = Field(description="Value of the raw map at the low end of its scale.", examples=[0.0])
    pixel_max: FiniteFloat = Field(
        description="Value of the raw map at the high end of its scale. Values of the map are normalised with the "
        "formula of the scores.",
        examples=[47.6],
    )
    thresholds: ThresholdsBody | None = Field(
        description="How certain the thresholds are; null if they were not computed from a distribution."
    )
    normal_level: FiniteFloat | None = Field(
        description="Value that 0.1 % of the values of the normal pictures' maps exceed, with which `include=evidence` "
        "compares peaks; null if the version does not record it.",
        examples=[9.7],
    )
    calibrated_from: int | None = Field(
        description="Version whose weights these are, if only the thresholds were set anew; otherwise null.",
        examples=[None],
    )

    @classmethod
    def of(cls, manifest: Manifest) -> Self:
        """The body of the calibration in a manifest."""
        record = manifest.calibration
        return cls(
            protocol=record.protocol,
            pictures=record.pictures,
            anomalous_pictures=record.anomalous_pictures,
            false_positive_rate=record.false_positive_rate,
            image_threshold=record.image_threshold,
            image_min=record.image_min,
            image_max=record.image_max,
            pixel_threshold=record.pixel_threshold,
            pixel_min=record.pixel_min,
            pixel_max=record.pixel_max,
            thresholds=None if record.thresholds is None else ThresholdsBody.of(record.thresholds),
            normal_level=record.normal_level,
            calibrated_from=manifest.provenance.calibrated_from,
        )
