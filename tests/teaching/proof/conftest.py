"""A served version, and kept pictures with reviews, in memory."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from app.artifacts import Artifact, ModelRepository, load_artifact
from app.pipeline import TiledModel
from app.reviews import ReviewedPicture, ReviewedRegion, ReviewLabel, Ring
from app.scoring import calibration_at
from app.teaching.proof.pictures import KnownPicture
from tests.conftest import draw_surface

STAIN: Ring = ((100.0, 40.0), (124.0, 40.0), (124.0, 56.0), (100.0, 56.0))
"""Where `picture` draws a stain."""


@pytest.fixture(scope="session")
def served(models_dir: Path) -> Artifact:
    """`patchcore`, version 1."""
    return load_artifact(ModelRepository(models_dir).find("patchcore", 1))


@pytest.fixture
def scaled(served: Artifact) -> Callable[[float], TiledModel]:
    """A function that returns the served version with thresholds that are so many times as high."""

    def make(factor: float) -> TiledModel:
        old = served.calibration
        return served.model.with_calibration(calibration_at(factor * old.image_threshold, factor * old.pixel_threshold))

    return make


def picture(
    number: int,
    label: ReviewLabel | None = None,
    colour: tuple[int, int, int] | None = None,
    regions: tuple[ReviewedRegion, ...] = (),
    reviewer: str = "",
) -> KnownPicture:
    """A surface, with a stain if a colour is given, and its review."""
    drawn = draw_surface(2000 + number)
    if colour is not None:
        drawn[40:56, 100:124] = colour
    image: Tensor = torch.from_numpy(drawn).permute(2, 0, 1).contiguous()
    digest = f"{number:064x}"
    review = None if label is None else ReviewedPicture(f"p{number}", digest[:16], label, regions, lambda: image)
    return KnownPicture(f"id{number}", f"p{number}.png", digest, review, reviewer, lambda: image)
