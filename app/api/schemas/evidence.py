"""The bodies of evidence for a defect region."""

from typing import Self
from urllib.parse import quote

from pydantic import BaseModel, Field, FiniteFloat

from app.api.schemas.geometry import BoxBody, PointBody
from app.artifacts import Artifact
from app.pipeline import NEAREST, NormalPatch, RegionEvidence


class NormalPatchBody(BaseModel):
    """A patch of a normal picture that the model was trained on."""

    picture: str = Field(
        max_length=200,
        description="Name of the picture, below the folder that has all pictures of the training.",
        examples=["good/000.png"],
    )
    width: int = Field(description="Width of the picture in pixels.", examples=[1280])
    height: int = Field(description="Height of the picture in pixels.", examples=[960])
    place: PointBody = Field(description="Pixel of this picture at the centre of the patch.")
    distance: FiniteFloat = Field(
        ge=0,
        description="Euclidean distance between the features of the two patches; 0 for equal features. For PatchCore "
        "it is the distance that the map is made of; for other detectors it cannot be compared with the map.",
        examples=[2.71],
    )
    copy_url: str | None = Field(
        default=None,
        description="Path of a small JPEG copy of the picture, relative to the server's address; see "
        "`GET /v1/models/{model}/normal-pictures/{number}`. Absent if the version has no copy of it.",
        examples=["v1/models/demo/normal-pictures/3?version=1"],
    )

    @classmethod
    def of(cls, found: NormalPatch, artifact: Artifact) -> Self:
        """The body of a normal patch of an artifact."""
        (height, width), (row, column) = found.size, found.place
        path = f"v1/models/{quote(artifact.name)}/normal-pictures/{found.number}?version={artifact.version}"
        return cls(
            picture=found.name,
            width=width,
            height=height,
            place=PointBody(x=column, y=row),
            distance=found.distance,
            copy_url=path if found.copied else None,
        )


class EvidenceBody(BaseModel):
    """Why a region is unusual: its peak, compared with the normal pictures of the training and the calibration."""

    ratio: FiniteFloat | None = Field(
        default=None,
        ge=0,
        description="Map value at the peak, divided by the value that 0.1 % of the values of the normal pictures' maps "
        "exceed. Absent if the version does not record that value.",
        examples=[4.1],
    )
    patch: BoxBody = Field(description="Part of the uploaded picture at the peak whose features are compared.")
    nearest: list[NormalPatchBody] = Field(
        max_length=NEAREST,
        description="The normal patches whose features are nearest to those of `patch`, the nearest first. Empty if "
        "the version has no normal patches.",
    )

    @classmethod
    def of(cls, found: RegionEvidence, artifact: Artifact) -> Self:
        """The body of the evidence for a region, found by an artifact."""
        box = found.patch
        return cls(
            ratio=found.ratio,
            patch=BoxBody(x=box.left, y=box.top, width=box.width, height=box.height),
            nearest=[NormalPatchBody.of(each, artifact) for each in found.nearest],
        )
