"""The bodies of a certificate: which marks a version finds."""

from typing import Self

from pydantic import BaseModel, Field, FiniteFloat

from app.api.schemas.quality import FalseAlarmsBody
from app.artifacts import CertificateRecord


class CertifiedMarkBody(BaseModel):
    """Marks of one kind and contrast."""

    kind: str = Field(
        description="Kind of the mark: scratch, soft scratch, pit, stain or missing print. New kinds may be added.",
        examples=["scratch"],
    )
    contrast: FiniteFloat = Field(description="Largest change of a pixel, as a share of its value.", examples=[0.1])
    smallest: FiniteFloat | None = Field(
        description="Size in pixels of the picture that is found with 95 % probability: the width of a scratch, "
        "otherwise the diameter; null if no size that was tried is found so often.",
        examples=[6.1],
    )
    low: FiniteFloat | None = Field(
        description="Lower end of the 95 % interval of the size; null: below the sizes that were tried.",
        examples=[5.2],
    )
    high: FiniteFloat | None = Field(
        description="Upper end of the 95 % interval of the size; null: above the sizes that were tried.",
        examples=[8.4],
    )
    tried: int = Field(description="Number of marks that were drawn; 0: the pictures had no place.", examples=[60])
    largest: int | None = Field(description="Largest size that was tried; null if none was.", examples=[32])


class CertifiedPlaceBody(BaseModel):
    """A part of the picture."""

    tried: int = Field(description="Number of marks that were drawn there.", examples=[30])
    found: int = Field(description="Number of these marks that were found.", examples=[21])
    factor: FiniteFloat = Field(
        description="How many times as large as in the whole picture marks must be there.", examples=[1.4]
    )
    low: FiniteFloat = Field(description="Lower end of the 95 % interval of the factor.", examples=[1.1])
    high: FiniteFloat = Field(description="Upper end of the 95 % interval of the factor.", examples=[1.9])


class CertificateBody(BaseModel):
    """Which synthetic marks the version finds in normal pictures, as `tessera certify` measured."""

    created_at: str = Field(
        description="Time of the measurement: UTC, ISO 8601.", examples=["2026-11-29T09:30:00+00:00"]
    )
    dataset: str = Field(description="Name of the dataset of the normal pictures.", examples=["surface"])
    pictures: int = Field(description="Number of normal pictures into which marks were drawn.", examples=[24])
    headlines: list[str] = Field(
        description="For each kind of mark, what is found, in words.",
        examples=[["scratch from 6.1 px at 10 % contrast"]],
    )
    false_alarms: FalseAlarmsBody = Field(description="False alarms among these pictures, without marks.")
    marks: list[CertifiedMarkBody] = Field(description="The size that is found, by kind and contrast.")
    rows: int = Field(description="Number of rows of `places`.", examples=[6])
    columns: int = Field(description="Number of columns of `places`.", examples=[4])
    places: list[CertifiedPlaceBody] = Field(description="The parts of the picture, row by row.")

    @classmethod
    def of(cls, record: CertificateRecord) -> Self:
        """The body of a certificate."""
        marks = [
            CertifiedMarkBody(
                **grade.model_dump(exclude={"tried"}),
                tried=sum(each.tried for each in grade.tried),
                largest=grade.tried[-1].size if grade.tried else None,
            )
            for grade in record.grades
        ]
        return cls(
            created_at=record.created_at,
            dataset=record.dataset,
            pictures=record.pictures,
            headlines=[str(grade) for grade in record.headlines],
            false_alarms=FalseAlarmsBody.model_validate(record.false_alarms.model_dump()),
            marks=marks,
            rows=record.grid[0],
            columns=record.grid[1],
            places=[CertifiedPlaceBody(**place.model_dump()) for place in record.places],
        )
