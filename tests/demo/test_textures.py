import pytest
import torch

from scripts.demo.marks import KINDS, add_marks
from scripts.demo.pictures import MEAN, STD, draw_batch
from scripts.demo.textures import FAMILIES, Family, brushed


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.__name__)
def test_a_family_draws_standardised_fields(family: Family) -> None:
    texture = family(3, 64, torch.Generator().manual_seed(0))

    assert texture.values.shape == (3, 64, 64)
    torch.testing.assert_close(texture.values.mean((1, 2)), torch.zeros(3), atol=1e-4, rtol=0)
    torch.testing.assert_close(texture.values.std((1, 2)), torch.ones(3), atol=1e-3, rtol=0)
    assert texture.direction.shape == (3, 2) and (texture.direction.norm(dim=1) < 1.001).all()
    assert texture.scale.shape == (3,) and (texture.scale > 0).all()


def test_brushed_texture_runs_along_its_direction() -> None:
    texture = brushed(8, 64, torch.Generator().manual_seed(0))
    along_x = (texture.values[:, :, 1:] - texture.values[:, :, :-1]).square().mean((1, 2))
    along_y = (texture.values[:, 1:] - texture.values[:, :-1]).square().mean((1, 2))

    horizontal = texture.direction[:, 0]  # cosine of twice the angle: 1 horizontal, -1 vertical
    clear = horizontal.abs() > 0.3

    assert clear.any()
    assert ((along_y > along_x) == (horizontal > 0))[clear].all()


def test_pictures_change_where_the_marks_are() -> None:
    pictures = torch.full((64, 3, 32, 32), 0.5)
    marked, where = add_marks(pictures, torch.Generator().manual_seed(0))

    changed = (marked - pictures).abs().amax(1)
    any_mark = where.any(1)
    assert where.shape == (64, KINDS, 32, 32)
    assert changed[where[:, :3].any(1)].mean() > 10 * changed[~any_mark].mean()


def test_a_seed_is_a_batch() -> None:
    first, again = (draw_batch(2, 32, torch.Generator().manual_seed(7)) for _ in range(2))

    assert torch.equal(first.images, again.images)
    assert first.family.bincount().tolist() == [2] * len(FAMILIES)
    pictures = first.images * STD + MEAN
    assert pictures.min() > -1e-5 and pictures.max() < 1 + 1e-5
