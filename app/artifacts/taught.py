"""The record of teaching in the manifest."""

from collections.abc import Iterable
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from app.reviews import ReviewLabel

MOST_REVIEWS = 4096
"""The largest number of reviewed pictures that a manifest lists: about 250 kB."""

Digest = Annotated[str, Field(max_length=64)]


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
    reviews: dict[Digest, ReviewLabel] = Field(
        max_length=MOST_REVIEWS,
        description="the labels of the pictures by the digests of their files; of more than 4,096 only the first",
    )

    @classmethod
    def labels(cls, reviews: Iterable[tuple[str, ReviewLabel]]) -> dict[str, ReviewLabel]:
        """The field `reviews` of these digests and labels."""
        return dict(sorted(reviews)[:MOST_REVIEWS])
