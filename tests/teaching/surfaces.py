"""Surfaces with stains, and reviews of them."""

import torch

from app.data import picture_digest
from app.reviews import ReviewedPicture, ReviewedRegion, ReviewLabel
from tests.conftest import draw_surface
from tests.teaching.kept import STAIN


def surface(seed: int, stain: tuple[int, int, int] | None = None) -> torch.Tensor:
    """A surface, with or without a stain of this colour in the area STAIN."""
    picture = draw_surface(seed)
    if stain:
        picture[40:56, 100:124] = stain
    return torch.from_numpy(picture).permute(2, 0, 1).contiguous()


def reviewed(name: str, label: str, picture: torch.Tensor, *regions: str) -> ReviewedPicture:
    areas = tuple(ReviewedRegion(ReviewLabel(each), (STAIN,)) for each in regions)
    return ReviewedPicture(name, picture_digest(name.encode()), ReviewLabel(label), areas, lambda: picture)
