"""The record of teaching in the manifest."""

from collections.abc import Iterable
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from app.reviews import ReviewLabel

MOST_REVIEWS = 4096
"""The largest number of reviewed pictures that a manifest lists: about 250 kB."""

Digest = Annotated[str, Field(max_length=64)]


class SecondStageRecord(BaseModel):
    """The second stage of a version: what confirmed defects look like."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    defects: int = Field(ge=1, description="pictures with confirmed regions or areas that it was fitted to")
    harmless: int = Field(ge=1, description="harmless pictures that it was fitted to")
    factor: float = Field(gt=1, description="the largest factor of a distance; the smallest is 1")
    gain: float = Field(
        description="of the mean recall at rates of false alarms up to 10 %, by second stages that were not fitted to "
        "the pictures, compared with none"
    )
    gain_error: float = Field(description="the standard error of the gain")


class TaughtRecord(BaseModel):
    """The trained version and the reviewed pictures that made a version."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    base: int = Field(ge=1, description="the version that was trained, from which every lesson begins")
    base_digest: str = Field(max_length=64, description="the SHA-256 of its manifest")
    harmless: int = Field(ge=0, description="reviewed pictures of which patches were learned")
    defects: int = Field(
        ge=0, description="pictures with confirmed defects, of which nothing outside harmless regions was learned"
    )
    patches: int = Field(ge=0, description="the patches that were learned, before a memory bank selects its rows")
    missed: int = Field(ge=0, description="pictures with confirmed defects that the version does not find")
    second_stage: SecondStageRecord | None = Field(default=None, description="null: there is none")
    reviews: dict[Digest, ReviewLabel] = Field(
        max_length=MOST_REVIEWS,
        description="the labels of the pictures by the digests of their files; of more than 4,096 only the first",
    )

    @classmethod
    def labels(cls, reviews: Iterable[tuple[str, ReviewLabel]]) -> dict[str, ReviewLabel]:
        """The field `reviews` of these digests and labels."""
        return dict(sorted(reviews)[:MOST_REVIEWS])
