"""What people said about pictures that were predicted: the truth by which models are taught and judged."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

Ring = tuple[tuple[float, float], ...]
"""The corners (x, y) of a closed line, in pixels from the picture's upper left corner; the last joins the first."""


class ReviewLabel(StrEnum):
    """What a person said: a defect, harmless (normal, or no reason to reject), or unsure. New values may be added."""

    defect = "defect"
    harmless = "harmless"
    unsure = "unsure"


@dataclass(frozen=True, slots=True)
class ReviewedRegion:
    """A region of a picture that was judged.

    label: what it is
    rings: its outline; the first ring is the outer one, others are holes
    missed: whether the person drew it because the model had not found it
    """

    label: ReviewLabel
    rings: tuple[Ring, ...]
    missed: bool = False


@dataclass(frozen=True, slots=True)
class ReviewedPicture:
    """A picture that was judged.

    name: what reports call it, unique among the reviewed pictures
    digest: of its file, as in the manifests of artifacts
    label: what the whole picture is: a defect if any region is one
    regions: the regions that were judged; without any, the label holds for all of the picture
    read: its pixels [C,H,W] uint8 or uint16; raises OSError, or TesseraError such as PictureNotFound
    """

    name: str
    digest: str
    label: ReviewLabel
    regions: tuple[ReviewedRegion, ...]
    read: Callable[[], "Tensor"]
