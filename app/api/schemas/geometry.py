"""The bodies of places in a picture."""

from pydantic import BaseModel, Field


class BoxBody(BaseModel):
    """A rectangle in pixels of the uploaded picture."""

    x: int = Field(description="Left column, counted from 0.", examples=[412])
    y: int = Field(description="Top row, counted from 0.", examples=[96])
    width: int = Field(description="Number of columns.", examples=[71])
    height: int = Field(description="Number of rows.", examples=[18])


class PointBody(BaseModel):
    """A pixel of the uploaded picture."""

    x: int = Field(description="Column, counted from 0.", examples=[447])
    y: int = Field(description="Row, counted from 0.", examples=[104])
