"""Synthetic pictures have values that a camera could have recorded, and depend only on the seed."""

import pytest
import torch
from torch import Generator

from app.synthesis import draw
from app.synthesis.imaging import photographed
from app.synthesis.marks import MARKS
from app.synthesis.scenes import SCENES
from app.synthesis.textures import FAMILIES, Family


def seeded(seed: int = 0) -> Generator:
    return Generator().manual_seed(seed)


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.__name__)
def test_a_texture_is_standardised(family: Family) -> None:
    fields = family(3, 64, seeded())

    assert fields.shape == (3, 64, 64)
    torch.testing.assert_close(fields.mean((1, 2)), torch.zeros(3), atol=1e-4, rtol=0)
    torch.testing.assert_close(fields.std((1, 2)), torch.ones(3), atol=1e-3, rtol=0)


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.__name__)
def test_scenes_are_finite_and_differ(scene: Family) -> None:
    pictures = scene(3, 72, seeded())

    assert pictures.shape == (3, 3, 72, 72)
    assert pictures.isfinite().all()
    assert (pictures.flatten(1).std(1) > 1e-3).all()
    assert not torch.equal(pictures[0], pictures[1])


@pytest.mark.parametrize("mark", MARKS, ids=lambda mark: mark.__name__)
def test_a_mark_changes_a_part_of_a_picture(mark) -> None:  # type: ignore[no-untyped-def]  # of several kinds
    pictures = torch.cat([torch.full((4, 3, 64, 64), 0.3), torch.full((4, 3, 64, 64), 0.6)])
    pictures[::2] += 0.1
    changed = (mark(pictures, seeded()) - pictures).abs().amax((1, 2, 3))

    assert (changed > 1e-3).sum() >= 4  # some lie outside of the picture


@pytest.mark.parametrize("count", [1, 5, 24])
def test_pictures_are_in_range_and_in_steps_of_a_byte(count: int) -> None:
    pictures = draw(count, 64, seeded())

    assert pictures.shape == (count, 3, 64, 64)
    assert pictures.min() >= 0 and pictures.max() <= 1
    torch.testing.assert_close(pictures * 255, (pictures * 255).round(), atol=1e-4, rtol=0)


def test_a_seed_determines_the_pictures() -> None:
    first, again, other = draw(6, 64, seeded(1)), draw(6, 64, seeded(1)), draw(6, 64, seeded(2))

    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_a_camera_adds_noise_and_keeps_the_brightness() -> None:
    grey = torch.full((64, 3, 32, 32), 0.5)
    seen = photographed(grey, seeded())

    assert not torch.equal(seen[0], seen[1])
    assert abs(float(seen.mean()) - 0.475) < 0.05  # gains lie between 0.7 and 1.2, and light is clipped
