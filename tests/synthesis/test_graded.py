"""Marks have the size and the contrast that they say."""

import pytest
import torch
from torch import Tensor

from app.synthesis import MARK_KINDS, Mark, draw_mark

PLACE = (20, 30)


def flat(level: int = 150, channels: int = 3) -> Tensor:
    return torch.full((channels, 300, 300), level, dtype=torch.uint8)


def printed() -> Tensor:
    """Dark stripes on white: print that covers less than half of the picture."""
    picture = flat(200)
    picture[:, :, ::6] = picture[:, :, 1::6] = 80
    return picture


def drawn(kind: str, size: int, contrast: float, picture: Tensor, seed: int = 0) -> tuple[Tensor, Tensor]:
    """The relative change [C,d,d] of the mark's square, and the mask."""
    mark, before = Mark(kind, size, contrast), picture.clone().float()
    mask = draw_mark(picture, mark, PLACE, torch.Generator().manual_seed(seed))
    assert mask is not None
    change = picture.float() / before - 1
    top, left = PLACE
    inside = change[:, top : top + mark.edge, left : left + mark.edge].clone()
    change[:, top : top + mark.edge, left : left + mark.edge] = 0
    assert not change.any()  # nothing outside the square has changed
    return inside, mask


@pytest.mark.parametrize("kind", ["scratch", "soft scratch", "pit", "stain"])
@pytest.mark.parametrize("contrast", [0.1, 0.5])
@pytest.mark.parametrize("seed", range(3))
def test_the_largest_change_is_the_contrast(kind: str, contrast: float, seed: int) -> None:
    change, _ = drawn(kind, 12, contrast, flat(), seed)
    assert float(change.abs().amax()) == pytest.approx(contrast, abs=0.006)


@pytest.mark.parametrize("kind", ["pit", "stain", "missing print"])
@pytest.mark.parametrize("size", [6, 16, 45])
def test_a_round_mark_has_the_diameter(kind: str, size: int) -> None:
    _, mask = drawn(kind, size, 0.3, printed())
    assert (4 * int(mask.sum()) / torch.pi) ** 0.5 == pytest.approx(size, rel=0.1, abs=1)


@pytest.mark.parametrize(
    ("kind", "size"), [("scratch", 1), ("scratch", 3), ("scratch", 8), ("soft scratch", 8), ("soft scratch", 20)]
)
def test_a_scratch_has_the_width(kind: str, size: int) -> None:
    _, mask = drawn(kind, size, 0.3, flat())
    length = max(6 * size, 24)
    assert int(mask.sum()) / size == pytest.approx(length, rel=0.25)


@pytest.mark.parametrize("size", [8, 24])
def test_the_edges_of_a_soft_scratch_are_eight_pixels_wide(size: int) -> None:
    for kind, edge in (("scratch", 1), ("soft scratch", 8)):
        change, mask = drawn(kind, size, 0.4, flat())
        opacity = change[0].abs() / 0.4
        rim = (opacity > 0.02) & (opacity < 0.98)
        # Both sides of a line: the rim has as many pixels as two edges of the line's length.
        assert int(rim.sum()) / int(mask.sum()) == pytest.approx(2 * edge / size, rel=0.3)


def test_a_mark_darkens_what_is_there_instead_of_covering_it() -> None:
    picture = printed()
    change, _ = drawn("stain", 20, 0.4, picture)
    centre = change[0, 12:18, 12:18]
    assert float(centre.max() - centre.min()) < 0.02  # the same share of light and dark pixels


def test_missing_print_fades_into_the_background() -> None:
    picture = printed()
    before = picture.clone()
    change, mask = drawn("missing print", 24, 0.5, picture)
    assert float(change.amax()) == pytest.approx(0.5, abs=0.02)
    top, left = PLACE
    inside = before[0, top : top + mask.shape[0], left : left + mask.shape[0]]
    assert float(change[0][(inside == 200) & mask].abs().amax()) == 0  # the background stays


def test_missing_print_needs_print() -> None:
    picture = flat()
    assert draw_mark(picture, Mark("missing print", 12, 0.1), PLACE, torch.Generator()) is None
    assert torch.equal(picture, flat())


@pytest.mark.parametrize("kind", sorted(MARK_KINDS))
def test_a_seed_determines_a_mark(kind: str) -> None:
    first, _ = drawn(kind, 9, 0.2, printed(), seed=5)
    again, _ = drawn(kind, 9, 0.2, printed(), seed=5)
    other, _ = drawn(kind, 9, 0.2, printed(), seed=6)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_a_bright_surface_gets_a_dark_scratch() -> None:
    for seed in range(6):
        change, _ = drawn("scratch", 4, 0.2, flat(250), seed)
        assert float(change.amin()) == pytest.approx(-0.2, abs=0.006)
