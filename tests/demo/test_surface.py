import numpy as np
import pytest
from scipy import ndimage

from scripts.demo.defects import DEFECTS, FADE
from scripts.demo.surface import defective_surface, normal_surface

SIZE = (256, 320)


def test_the_seed_decides_the_picture() -> None:
    first, again, other = (normal_surface(np.random.default_rng(seed), SIZE) for seed in (5, 5, 6))

    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("size", [(1, 1), (7, 300), (300, 7), (64, 96), (256, 256)])
def test_any_size_can_be_drawn(size: tuple[int, int]) -> None:
    picture, mask = defective_surface(np.random.default_rng(0), size, tuple(DEFECTS))

    assert picture.shape == (*size, 3) and picture.dtype == np.uint8
    assert mask.shape == size and mask.dtype == np.bool_


def test_a_normal_picture_uses_the_middle_of_the_range() -> None:
    picture = normal_surface(np.random.default_rng(0), SIZE)

    assert 90 < picture.mean() < 170
    assert 3 < picture.std() < 25
    assert picture.min() > 0 and picture.max() < 255


@pytest.mark.parametrize("kind", DEFECTS)
@pytest.mark.parametrize("seed", range(5))
def test_a_defect_changes_its_mask_and_nothing_else(kind: str, seed: int) -> None:
    normal = normal_surface(np.random.default_rng(seed), SIZE).astype(int)
    picture, mask = defective_surface(np.random.default_rng(seed), SIZE, (kind,))

    change = np.abs(picture.astype(int) - normal).max(2)

    away = ndimage.distance_transform_edt(~mask)
    assert change[away > FADE].max() == 0
    assert change[mask].mean() > 10
    assert change[mask].sum() > 0.7 * change.sum()


@pytest.mark.parametrize("kind", DEFECTS)
def test_a_defect_is_small(kind: str) -> None:
    _, mask = defective_surface(np.random.default_rng(3), (1024, 1024), (kind,))

    assert 30 < mask.sum() < 0.01 * mask.size


def test_kinds_may_repeat() -> None:
    _, one = defective_surface(np.random.default_rng(4), SIZE, ("pit",))
    _, three = defective_surface(np.random.default_rng(4), SIZE, ("pit", "pit", "pit"))

    assert (one & three).sum() == one.sum()
    assert three.sum() > one.sum()
